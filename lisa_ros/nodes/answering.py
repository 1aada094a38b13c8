"""One instruction from a sentence to an answer, without ROS.

The body of `Answerer.answer` is the data flow of DESIGN §4 read from top to bottom. Whatever goes
wrong ends in an `Answer` with a status, a sentence and the error's wire code; nothing here raises
for bad input.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lisa_ros.errors import GenerationCanceledError, InstructionError, LisaError, TransformError
from lisa_ros.geometry import lift_mask, transform_target
from lisa_ros.nodes.answers import (
    ABOUT_THE_IMAGE,
    Answer,
    FoundTarget,
    NoFrame,
    Request,
    Stage,
    quoted,
)
from lisa_ros.types import (
    BoolArray,
    Float64Array,
    NoDepth,
    RgbdFrame,
    Segmentation,
    Status,
    Target3D,
)

if TYPE_CHECKING:
    from lisa_ros.inference.segmenter import EncodedImage, Mode, Segmenter

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TargetFrame:
    """Where targets are wanted: the frame's name and f64[4,4] from the camera's optical frame."""

    frame_id: str
    T_target_camera: Float64Array


@dataclass(frozen=True)
class AnswerSettings:
    """What the node's parameters say about one answer; target_frame None: the camera's own."""

    mode: Mode
    max_targets: int
    max_frame_age_s: float
    frame_wait_s: float
    target_frame: TargetFrame | None


class FrameSource(Protocol):
    """Where frames come from."""

    def wait_for_frame(
        self, max_age_s: float, wait_s: float, should_stop: Callable[[], bool]
    ) -> RgbdFrame | NoFrame:
        """Return the newest frame, waiting at most `wait_s`; LisaError for malformed messages."""
        ...


class Answerer:
    """Answers requests with one segmenter and one frame source. Use from one thread."""

    def __init__(self, segmenter: Segmenter, frames: FrameSource) -> None:
        self._segmenter = segmenter
        self._frames = frames
        self._encoded: tuple[RgbdFrame, EncodedImage] | None = None

    def answer(self, request: Request, settings: AnswerSettings) -> Answer:
        """Answer one request; whatever happens, the result says how it ended."""
        work = _Work(request)
        try:
            frame = self._wait_for_frame(work, settings)
            if isinstance(frame, NoFrame):
                return work.ended(Status.STALE_INPUT, frame.reason)
            work.frame, work.frame_id = frame, frame.frame_id
            encoded = self._encode(work, frame)
            work.segmentation = segmentation = self._reason(work, encoded, settings)
            work.raise_if_stopped()
            doubt = self._doubt(segmentation, settings.mode)
            if not segmentation.found or not segmentation.masks.any():
                return work.ended(Status.NOT_FOUND, _not_found_reason(segmentation) + doubt)
            self._lift(work, frame, segmentation, settings)
            work.raise_if_stopped()
            return work.ended(*_found_or_no_depth(work.targets, doubt))
        except (_StoppedError, GenerationCanceledError):
            cause = request.stop_signal.cause()
            return work.ended(*(cause or (Status.CANCELED, "The model stopped by itself.")))
        except InstructionError as error:
            return work.ended(Status.REJECTED, str(error), error.code)
        except TransformError as error:
            return work.ended(Status.TRANSFORM_FAILED, str(error), error.code)
        except LisaError as error:
            return work.ended(Status.ERROR, str(error), error.code)
        except Exception as error:  # a fault of ours or of a library must not end the node
            _LOG.exception("answering %s failed", quoted(request.instruction))
            reason = f"Unexpected {type(error).__name__}: {error}"
            return work.ended(Status.ERROR, reason, LisaError.code)

    def _wait_for_frame(self, work: _Work, settings: AnswerSettings) -> RgbdFrame | NoFrame:
        with work.stage(Stage.WAITING_FOR_FRAME):
            frame = self._frames.wait_for_frame(
                settings.max_frame_age_s,
                settings.frame_wait_s,
                work.request.stop_signal.should_stop,
            )
        work.raise_if_stopped()
        return frame

    def _encode(self, work: _Work, frame: RgbdFrame) -> EncodedImage:
        """Encode the image, or use what is left of a question about this very frame."""
        with work.stage(Stage.ENCODING):
            if self._encoded is None or self._encoded[0] is not frame:
                self._encoded = None  # two encodings at once would need twice the memory
                self._encoded = (frame, self._segmenter.encode_image(frame.image))
        return self._encoded[1]

    def _reason(self, work: _Work, encoded: EncodedImage, settings: AnswerSettings) -> Segmentation:
        with work.stage(Stage.REASONING):
            segmentation = self._segmenter.segment(
                encoded,
                work.request.instruction,
                mode=settings.mode,
                on_text=lambda text: work.request.on_progress(Stage.REASONING, text),
                should_stop=work.request.stop_signal.should_stop,
            )
        for name, milliseconds in segmentation.timings_ms.items():
            work.timings_ms[f"{Stage.REASONING}.{name}"] = milliseconds
        return segmentation

    def _doubt(self, segmentation: Segmentation, mode: Mode) -> str:
        """Return what to say of a yes or no whose errors nobody has counted; empty if they were."""
        if segmentation.calibrated:
            return ""
        if mode == "generated":
            return (
                " Uncalibrated: in generated mode the model's own words decide, and how often they "
                "are wrong has not been measured."
            )
        if self._segmenter.capabilities.found_threshold is None:
            return (
                " Uncalibrated: this checkpoint has no threshold, so that a prompted answer never "
                "says that something is absent."
            )
        return " Uncalibrated: found_threshold has not been validated for questions like this."

    def _lift(
        self, work: _Work, frame: RgbdFrame, segmentation: Segmentation, settings: AnswerSettings
    ) -> None:
        with work.stage(Stage.LIFTING):
            by_score = np.argsort(-segmentation.scores, kind="stable")
            best = [i for i in by_score if segmentation.masks[i].any()][: settings.max_targets]
            work.targets = tuple(
                FoundTarget(
                    target_id=rank,
                    mask=segmentation.masks[index],
                    score=float(segmentation.scores[index]),
                    lifted=_lifted(segmentation.masks[index], frame, settings.target_frame),
                )
                for rank, index in enumerate(best, start=1)
            )
        if settings.target_frame is not None:
            work.frame_id = settings.target_frame.frame_id


class _StoppedError(Exception):
    """A stop was seen between two stages."""


@dataclass
class _Work:
    """What is known so far about one request."""

    request: Request
    frame: RgbdFrame | None = None
    frame_id: str = ""
    segmentation: Segmentation | None = None
    targets: tuple[FoundTarget, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Announce a stage and time it, unless a stop was asked for before it."""
        self.raise_if_stopped()
        self.request.on_progress(stage, "")
        started_s = time.perf_counter()
        try:
            yield
        finally:
            self.timings_ms[stage] = 1e3 * (time.perf_counter() - started_s)

    def raise_if_stopped(self) -> None:
        if self.request.stop_signal.should_stop():
            raise _StoppedError

    def ended(self, status: Status, reason: str, error_code: int = 0) -> Answer:
        return Answer(
            instruction_id=self.request.instruction_id,
            instruction=self.request.instruction,
            status=status,
            reason=reason,
            error_code=error_code,
            frame=self.frame,
            frame_id=self.frame_id,
            segmentation=self.segmentation,
            targets=self.targets if status in ABOUT_THE_IMAGE else (),
            timings_ms=self.timings_ms,
        )


def _lifted(
    mask: BoolArray, frame: RgbdFrame, target_frame: TargetFrame | None
) -> Target3D | NoDepth:
    if frame.depth_m is None or frame.intrinsics is None:
        return NoDepth("the camera gives no depth", depth_coverage=0.0, mask_px=int(mask.sum()))
    target = lift_mask(mask, frame.depth_m, frame.intrinsics, rays=frame.rays)
    if target_frame is None or isinstance(target, NoDepth):
        return target
    return transform_target(target_frame.T_target_camera, target)


def _not_found_reason(segmentation: Segmentation) -> str:
    if segmentation.found:
        return "The model accepted the request, but marked no pixel of the image."
    return (
        f"The model holds it for absent: it answered {segmentation.text!r}, and the probability "
        f"of an accepting answer is {segmentation.seg_probability:.2f}."
    )


def _found_or_no_depth(targets: tuple[FoundTarget, ...], doubt: str) -> tuple[Status, str]:
    located = [target for target in targets if isinstance(target.lifted, Target3D)]
    if located:
        return Status.FOUND, f"{len(located)} of {len(targets)} targets located.{doubt}"
    reasons = {target.lifted.reason for target in targets if isinstance(target.lifted, NoDepth)}
    causes = "; ".join(sorted(reasons))
    return Status.NO_DEPTH, f"Segmented, but without a position: {causes}.{doubt}"
