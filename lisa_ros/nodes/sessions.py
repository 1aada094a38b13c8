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
    instruction_id: int
    turn: Turn
    view: ViewSketch


class Sessions:
    """The last turns of the last conversations, by their names. Use from one thread.

    At most `MAX_TURNS` turns of a conversation and `MAX_SESSIONS` conversations are kept, the
    newest.
    """

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, list[_SeenTurn]] = OrderedDict()

    def recall(self, name: str, view: ViewSketch, instruction_id: int) -> tuple[list[Turn], int]:
        """Return the turns about this view, oldest first, and how many of others were forgotten.

        The turns since the view last changed: what came before a change stays forgotten. That of
        the instruction itself does not count: when it is put again, it is not its own follow-up.
        """
        turns = self._sessions.get(name, [])
        about_others = [i for i, seen in enumerate(turns) if not is_same_view(seen.view, view)]
        n_outdated = about_others[-1] + 1 if about_others else 0
        n_forgotten = len(_but_for(turns[:n_outdated], instruction_id))
        del turns[:n_outdated]
        return [seen.turn for seen in _but_for(turns, instruction_id)], n_forgotten

    def remember(self, name: str, turn: Turn, view: ViewSketch, instruction_id: int) -> None:
        """Add a turn, in place of that of the same instruction.

        The oldest turn, and the conversation silent for longest, make room.
        """
        turns = self._sessions.setdefault(name, [])
        turns[:] = [*_but_for(turns, instruction_id), _SeenTurn(instruction_id, turn, view)]
        del turns[:-MAX_TURNS]
        self._sessions.move_to_end(name)
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)

    def forget(self) -> None:
        """Forget every conversation."""
        self._sessions.clear()


def _but_for(turns: list[_SeenTurn], instruction_id: int) -> list[_SeenTurn]:
    return [seen for seen in turns if seen.instruction_id != instruction_id]
