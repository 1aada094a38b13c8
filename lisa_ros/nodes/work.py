"""What is known so far about one request that is being answered, and which stage it is in."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from lisa_ros.nodes.answers import ABOUT_THE_IMAGE, Answer, FoundTarget, Request, Stage
from lisa_ros.types import RgbdFrame, Segmentation, Status


class StoppedError(Exception):
    """A stop was seen between two stages; the request's stop signal knows why."""


@dataclass
class Work:
    """The work on one request, from one thread.

    remarks: sentences that the answer's reason ends with. timings_ms: by stage, in order; a stage
    that is entered again adds to its time.
    """

    request: Request
    frame: RgbdFrame | None = None
    frame_id: str = ""
    segmentation: Segmentation | None = None
    targets: tuple[FoundTarget, ...] = ()
    remarks: list[str] = field(default_factory=list)
    timings_ms: dict[str, float] = field(default_factory=dict)
    _text: str = ""
    _stage: Stage | None = None
    _entered_s: float = 0.0

    def begin(self, stage: Stage) -> None:
        """Go on with a stage, unless a stop was asked for: then raise StoppedError."""
        self.raise_if_stopped()
        self.enter(stage)

    def enter(self, stage: Stage) -> None:
        """Announce a stage and take the time; it lasts until the next one, or the answer."""
        self._leave()
        self._stage, self._entered_s = stage, time.perf_counter()
        self.request.on_progress(stage, self._text)

    def say(self, text: str) -> None:
        """Pass on the response as far as it has been generated."""
        self._text = text
        self.request.on_progress(self._stage or Stage.REASONING, text)

    def raise_if_stopped(self) -> None:
        """Raise StoppedError if a stop was asked for."""
        if self.request.stop_signal.should_stop():
            raise StoppedError

    def ended(self, status: Status, reason: str, error_code: int = 0) -> Answer:
        """Return the answer; what it knows of the image stays in it, whatever the status."""
        self._leave()
        return Answer(
            instruction_id=self.request.instruction_id,
            instruction=self.request.instruction,
            status=status,
            reason=" ".join([reason, *self.remarks]) if status in ABOUT_THE_IMAGE else reason,
            error_code=error_code,
            frame=self.frame,
            frame_id=self.frame_id,
            segmentation=self.segmentation,
            targets=self.targets if status in ABOUT_THE_IMAGE else (),
            timings_ms=self.timings_ms,
            session=self.request.session,
            refine=self.request.refine if Stage.REFINING in self.timings_ms else "",
        )

    def _leave(self) -> None:
        if self._stage is not None:
            spent_ms = 1e3 * (time.perf_counter() - self._entered_s)
            self.timings_ms[self._stage] = self.timings_ms.get(self._stage, 0.0) + spent_ms
        self._stage = None
