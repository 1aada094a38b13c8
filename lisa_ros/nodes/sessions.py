"""Conversations: which earlier turns a question is asked with.

A follow-up ("and the other one?") is asked about the newest frame, so that its targets are where
things are now, with the earlier exchanges as text. That makes sense as long as they were about what
the camera still shows: every turn keeps a sketch of the view that it was about, and is forgotten
when a question comes at which the view is another one.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from lisa_ros.nodes.view_sketch import ViewSketch, is_same_view
from lisa_ros.types import Turn

MAX_TURNS = 4
MAX_SESSIONS = 16
MAX_NAME_LENGTH = 100


@dataclass(frozen=True)
class _SeenTurn:
    turn: Turn
    view: ViewSketch


class Sessions:
    """The last turns of the last conversations, by their names. Use from one thread.

    At most `MAX_TURNS` turns of a conversation and `MAX_SESSIONS` conversations are kept, the
    newest.
    """

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, list[_SeenTurn]] = OrderedDict()

    def recall(self, name: str, view: ViewSketch) -> tuple[list[Turn], int]:
        """Return the turns about this view, oldest first, and how many of others were forgotten.

        The turns since the view last changed: what came before a change stays forgotten.
        """
        turns = self._sessions.get(name, [])
        about_others = [i for i, seen in enumerate(turns) if not is_same_view(seen.view, view)]
        n_forgotten = about_others[-1] + 1 if about_others else 0
        del turns[:n_forgotten]
        return [seen.turn for seen in turns], n_forgotten

    def remember(self, name: str, turn: Turn, view: ViewSketch) -> None:
        """Add a turn; the oldest turn, and the conversation silent for longest, make room."""
        turns = self._sessions.setdefault(name, [])
        turns.append(_SeenTurn(turn, view))
        del turns[:-MAX_TURNS]
        self._sessions.move_to_end(name)
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)

    def forget(self) -> None:
        """Forget every conversation."""
        self._sessions.clear()
