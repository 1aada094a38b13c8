"""What arrives on the camera's topics and what becomes of it: the numbers of diagnostics."""

from __future__ import annotations

from dataclasses import dataclass

from lisa_ros.errors import LisaError


@dataclass(frozen=True)
class StreamState:
    """One input at one moment.

    topic: full name on the wire. received: messages since the node was configured. Those that are
    in no frame are counted by cause. unmatched: no partner had a stamp within sync_slop_s. age_s:
    of the newest stamp by the node's clock (negative: in the future); None before the first message
    and after time jumped back. repeated: the next message had the same stamp. set_back: dropped
    because the stamps jumped back. oversized, malformed: refused, for the reason in `problem`,
    which is empty when the last message and the last frame were good. required: whether frames wait
    for this input.
    offset_s: stamp minus that of the image, in the newest set; None where it is in none.
    newest_stamp_ns: None as for age_s.
    """

    topic: str
    received: int
    unmatched: int
    age_s: float | None
    repeated: int = 0
    set_back: int = 0
    oversized: int = 0
    malformed: int = 0
    problem: str = ""
    required: bool = True
    offset_s: float | None = None
    newest_stamp_ns: int | None = None


@dataclass
class Arrivals:
    """Counts what comes in on one topic, and what of it cannot be used.

    refusal: why the last message was not taken, None if it was. failure: why the last frame that
    was decoded failed over a message of this topic, None if it did not.
    """

    received: int = 0
    oversized: int = 0
    malformed: int = 0
    refusal: LisaError | None = None
    failure: LisaError | None = None

    def refuse(self, error: LisaError, *, oversized: bool) -> None:
        """Count a message that was not taken."""
        self.oversized += oversized
        self.malformed += not oversized
        self.refusal = renewed(error)

    def fail(self, error: LisaError) -> None:
        """Count a message that was taken and could not be decoded."""
        self.malformed += 1
        self.failure = renewed(error)


def renewed(error: LisaError) -> LisaError:
    """Return the error without its traceback, which would keep the message alive."""
    return type(error)(str(error))
