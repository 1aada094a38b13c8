"""The values round one instruction: the request, why to stop it, the answer. No ROS, no torch."""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lisa_ros.types import BoolArray, NoDepth, RgbdFrame, Segmentation, Status, Target3D

# How an answer ends that says something about the image. Any other status says why there is none.
ABOUT_THE_IMAGE = frozenset({Status.FOUND, Status.NOT_FOUND, Status.NO_DEPTH})


class Stage(enum.StrEnum):
    """The stages of one answer, in order; the names are on the wire (feedback, timing names).

    LOOKING_AGAIN: closer, where nothing was found. REFINING: about a close-up of what was found.
    Both only where asked for.
    """

    WAITING_FOR_FRAME = "waiting_for_frame"
    ENCODING = "encoding"
    REASONING = "reasoning"
    DECODING = "decoding"
    LOOKING_AGAIN = "looking_again"
    REFINING = "refining"
    LIFTING = "lifting"


class Policy(enum.StrEnum):
    """What a new instruction does to those before it; the names are on the wire."""

    REPLACE = "replace"
    QUEUE = "queue"
    REJECT = "reject"


@dataclass(frozen=True)
class NoFrame:
    """A frame source has nothing to look at; `reason` says which input is missing and where."""

    reason: str


@dataclass(frozen=True)
class FoundTarget:
    """One mask bool[H,W] of an answer.

    target_id: its value in the mask image, 1..254. score: the mask's stability, 0..1. label: the
    words that it answers.
    """

    target_id: int
    mask: BoolArray
    score: float
    lifted: Target3D | NoDepth
    label: str = ""


@dataclass(frozen=True)
class Answer:
    """How one instruction ended.

    frame and segmentation are None where it did not get so far. targets: best first; none unless
    the status is one about the image. frame_id: the frame of every position in them. timings_ms:
    milliseconds by stage. session: the conversation that it belongs to, empty for none. refine:
    what was asked about a close-up of what was found, and targets and segmentation answer then;
    empty where it did not come to that. followed: whether the targets were carried on from an
    earlier answer to the instruction, without asking again; segmentation is then that answer's,
    with the masks of this frame.
    """

    instruction_id: int
    instruction: str
    status: Status
    reason: str
    error_code: int = 0
    frame: RgbdFrame | None = None
    frame_id: str = ""
    segmentation: Segmentation | None = None
    targets: tuple[FoundTarget, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    session: str = ""
    refine: str = ""
    followed: bool = False


class StopSignal:
    """Why the work on one instruction should stop, if at all. Thread-safe; the first cause stays.

    timeout_s: from now; None: no limit. canceled: polled as well, for clients that keep that state
    themselves.
    """

    def __init__(
        self, timeout_s: float | None = None, canceled: Callable[[], bool] = lambda: False
    ) -> None:
        self._timeout_s = timeout_s
        self._deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        self._canceled = canceled
        self._lock = threading.Lock()
        self._cause: tuple[Status, str] | None = None

    def stop(self, status: Status, reason: str) -> None:
        """Ask for the end, for this reason."""
        with self._lock:
            if self._cause is None:
                self._cause = (status, reason)

    def cause(self) -> tuple[Status, str] | None:
        """Return the status and the sentence to end with, or None to go on."""
        if self._canceled():
            self.stop(Status.CANCELED, "The client canceled the goal.")
        elif self._deadline_s is not None and time.monotonic() > self._deadline_s:
            self.stop(Status.TIMEOUT, f"No answer within {self._timeout_s:g} s.")
        return self._cause

    def should_stop(self) -> bool:
        """Whether there is a cause; what long calls poll."""
        return self.cause() is not None


@dataclass(frozen=True)
class Request:
    """One accepted instruction and where its progress and its answer go.

    on_progress: called with the stage and the text so far. on_answer: called exactly once. session:
    the conversation whose earlier turns are remembered, empty for none. refine: what is asked about
    a close-up of what was found, empty for nothing.
    """

    instruction_id: int
    instruction: str
    stop_signal: StopSignal
    on_progress: Callable[[Stage, str], None]
    on_answer: Callable[[Answer], None]
    session: str = ""
    refine: str = ""


def quoted(instruction: str) -> str:
    """Return an instruction for sentences: in quotes, and not longer than a line."""
    limit = 80
    return repr(instruction if len(instruction) <= limit else f"{instruction[:limit]}...")


def unanswered(request: Request, status: Status, reason: str, error_code: int = 0) -> Answer:
    """Return the answer to a request that was never worked on."""
    return Answer(
        request.instruction_id,
        request.instruction,
        status,
        reason,
        error_code,
        session=request.session,
    )
