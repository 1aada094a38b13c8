"""When to look at a followed target again, and when to ask for it again: a state machine.

    IDLE ──began──▶ IN_SIGHT ──looked(none)──▶ LOST ──looked(some), began──▶ IN_SIGHT
                        ◀──────────── ended, from anywhere ──▶ IDLE

Plain Python: it is told what happened and says what is due; the clock is handed in. How often it is
asked is the rate of the looks.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

from lisa_ros.tracking.tracker import Lost, Sighting


class Phase(enum.Enum):
    """Whether there is something to follow, and whether it is in sight."""

    IDLE = "idle"
    IN_SIGHT = "in sight"
    LOST = "lost"


class Step(enum.Enum):
    """What is due. LOOK: track on the newest frame. ASK: put the instruction to the model again."""

    LOOK = "look"
    ASK = "ask"


class Following:
    """Follows the targets of one answer through time; see the module. Use from one thread."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """now_s: a clock that never goes back, in seconds."""
        self._now_s = now_s
        self._phase = Phase.IDLE
        self._last_asked_s = 0.0
        self._lost_s = 0.0
        self._questions = 0

    @property
    def phase(self) -> Phase:
        """Where it stands."""
        return self._phase

    def began(self) -> None:
        """Take note of an answer whose targets are to be followed from now on."""
        self._phase = Phase.IN_SIGHT

    def ended(self) -> None:
        """Take note that nothing is to be followed any more."""
        self._phase = Phase.IDLE

    def due(self, ask_again_s: float) -> Step | None:
        """Return what to do now, None for nothing.

        ask_again_s: from the loss to the first question, and from each question to the next.
        """
        if self._phase is Phase.IDLE:
            return None
        if self._phase is Phase.LOST and self._now_s() >= self._last_asked_s + ask_again_s:
            return Step.ASK
        return Step.LOOK

    def looked(self, in_sight: bool) -> bool:
        """Take note of what a look found; return whether that changed the phase."""
        before = self._phase
        if before is Phase.IDLE:
            return False
        self._phase = Phase.IN_SIGHT if in_sight else Phase.LOST
        if before is Phase.IN_SIGHT and not in_sight:
            self._lost_s = self._last_asked_s = self._now_s()
            self._questions = 0
        return self._phase is not before

    def asked(self) -> None:
        """Take note that the instruction was put to the model again, without success so far."""
        self._last_asked_s = self._now_s()
        self._questions += 1

    def lost_for(self) -> str:
        """Say for how long the targets have been lost, and what was done about it."""
        seconds = self._now_s() - self._lost_s
        if self._questions == 0:
            return f"Lost {seconds:.1f} s ago"
        times = "once" if self._questions == 1 else f"{self._questions} times"
        return f"Lost {seconds:.1f} s ago and asked for again {times}"


def why_lost(found: Mapping[int, Sighting | Lost]) -> str:
    """Return what became of the lost ones: "target 2 (nothing of it is to be seen)"; or empty."""
    return "; ".join(
        f"target {target_id} ({fate.reason})"
        for target_id, fate in found.items()
        if isinstance(fate, Lost)
    )
