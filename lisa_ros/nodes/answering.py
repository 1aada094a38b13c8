"""One instruction from a sentence to an answer, without ROS.

The body of `Answerer._perceive` is the data flow of DESIGN §4 read from top to bottom. Whatever
goes wrong ends in an `Answer` with a status, a sentence and the error's wire code; nothing here
raises for bad input.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lisa_ros.errors import (
    GenerationCanceledError,
    InstructionTooLongError,
    LisaError,
    TransformError,
)
from lisa_ros.inference.second_look import is_found
from lisa_ros.nodes import reasons
from lisa_ros.nodes.answers import Answer, NoFrame, Request, Stage, quoted
from lisa_ros.nodes.closer_looks import ask_for_part, look_again
from lisa_ros.nodes.sessions import Sessions
from lisa_ros.nodes.targets import find_targets, in_frame
from lisa_ros.nodes.transforms import TargetFrame
from lisa_ros.nodes.view_sketch import sketch_view
from lisa_ros.nodes.work import StoppedError, Work
from lisa_ros.types import RgbdFrame, Segmentation, Status, Turn

if TYPE_CHECKING:
    from lisa_ros.inference.segmenter import EncodedImage, Mode, Segmenter

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class AnswerSettings:
    """What the node's parameters say about one answer.

    target_frame: None for the camera's own. look_again: most closer looks where nothing was found.
    """

    mode: Mode
    max_targets: int
    max_frame_age_s: float
    frame_wait_s: float
    target_frame: TargetFrame | None
    look_again: int = 0


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
        self._sessions = Sessions()

    def use(self, segmenter: Segmenter) -> None:
        """Answer with this segmenter from now on; another cannot read what this one encoded."""
        if segmenter is not self._segmenter:
            self._segmenter, self._encoded = segmenter, None

    def forget_sessions(self) -> None:
        """Forget the earlier turns of every conversation."""
        self._sessions.forget()

    def answer(self, request: Request, settings: AnswerSettings) -> Answer:
        """Answer one request; whatever happens, the result says how it ended."""
        work = Work(request)
        try:
            return self._perceive(work, settings)
        except (StoppedError, GenerationCanceledError):
            cause = request.stop_signal.cause()
            return work.ended(*(cause or (Status.CANCELED, "The model stopped by itself.")))
        except LisaError as error:
            return work.ended(*reasons.failed(error))
        except Exception as error:  # a fault of ours or of a library must not end the node
            _LOG.exception("answering %s failed", quoted(request.instruction))
            return work.ended(*reasons.failed(error))

    def _perceive(self, work: Work, settings: AnswerSettings) -> Answer:
        frame = self._wait_for_frame(work, settings)
        if isinstance(frame, NoFrame):
            return work.ended(Status.STALE_INPUT, frame.reason)
        work.frame, work.frame_id = frame, frame.frame_id
        encoded = self._encode(work, frame)
        segmentation = self._reason(work, encoded, frame, settings)
        ending = self._conclude(work, frame, segmentation, settings)
        work.raise_if_stopped()
        self._remember(work.request, frame, segmentation)
        return work.ended(*ending)

    def _conclude(
        self, work: Work, frame: RgbdFrame, found: Segmentation, settings: AnswerSettings
    ) -> tuple[Status, str]:
        """Lift what was found, or the part of it that is wanted; return how the answer ends."""
        if not is_found(found):
            return Status.NOT_FOUND, reasons.not_found(found)
        if not work.request.refine:
            self._lift(work, frame, found, work.request.instruction, settings)
            return reasons.found_or_no_depth(work.targets)
        whole = found.masks[_best_first(found)[0]]
        part = ask_for_part(self._segmenter, work, frame, found, whole, mode=settings.mode)
        work.segmentation = part
        if found.calibrated:  # else it has been said
            work.remarks.append(reasons.UNMEASURED_PART)
        if not is_found(part):
            return Status.NOT_FOUND, reasons.no_such_part(part)
        self._lift(work, frame, part, work.request.refine, settings)
        return reasons.found_or_no_depth(work.targets)

    def _wait_for_frame(self, work: Work, settings: AnswerSettings) -> RgbdFrame | NoFrame:
        work.begin(Stage.WAITING_FOR_FRAME)
        frame = self._frames.wait_for_frame(
            settings.max_frame_age_s,
            settings.frame_wait_s,
            work.request.stop_signal.should_stop,
        )
        work.raise_if_stopped()
        return frame

    def _encode(self, work: Work, frame: RgbdFrame) -> EncodedImage:
        """Encode the image, or use what is left of a question about this very frame."""
        work.begin(Stage.ENCODING)
        if self._encoded is None or self._encoded[0] is not frame:
            self._encoded = None  # two encodings at once would need twice the memory
            self._encoded = (
                frame,
                self._segmenter.encode_image(
                    frame.image, should_stop=work.request.stop_signal.should_stop
                ),
            )
        return self._encoded[1]

    def _reason(
        self, work: Work, encoded: EncodedImage, frame: RgbdFrame, settings: AnswerSettings
    ) -> Segmentation:
        """Ask the model, after the earlier turns about this view."""
        work.begin(Stage.REASONING)
        turns: Sequence[Turn] = self._earlier_turns(work, frame)
        segmentation, turns = self._segment(work, encoded, turns, settings.mode)
        work.segmentation = segmentation
        work.raise_if_stopped()
        if settings.look_again and not is_found(segmentation):
            work.segmentation = segmentation = look_again(
                self._segmenter,
                work,
                frame,
                segmentation,
                max_looks=settings.look_again,
                mode=settings.mode,
                turns=turns,
            )
        for name, milliseconds in segmentation.timings_ms.items():
            work.timings_ms[f"model.{name}"] = milliseconds
        doubt = reasons.doubt(segmentation, settings.mode, len(turns), self._segmenter.capabilities)
        if doubt is not None:
            work.remarks.append(doubt)
        return segmentation

    def _segment(
        self, work: Work, encoded: EncodedImage, turns: Sequence[Turn], mode: Mode
    ) -> tuple[Segmentation, Sequence[Turn]]:
        """Ask, without the oldest turns where the model's context has no room; return the rest."""
        for n_left_out in range(len(turns) + 1):
            try:
                segmentation = self._segmenter.segment(
                    encoded,
                    work.request.instruction,
                    mode=mode,
                    history=turns[n_left_out:],
                    on_text=work.say,
                    on_decode=lambda: work.enter(Stage.DECODING),
                    should_stop=work.request.stop_signal.should_stop,
                )
            except InstructionTooLongError:
                if n_left_out == len(turns):
                    raise
            else:
                break
        if n_left_out:
            work.remarks.append(
                f"The model's context has no room for {n_left_out} of {len(turns)} earlier turns."
            )
        return segmentation, turns[n_left_out:]

    def _earlier_turns(self, work: Work, frame: RgbdFrame) -> list[Turn]:
        if not work.request.session:
            return []
        turns, n_forgotten = self._sessions.recall(
            work.request.session, sketch_view(frame), work.request.instruction_id
        )
        if n_forgotten:
            work.remarks.append(
                "The view has changed; what was said about the old one is forgotten."
            )
        return turns

    def _remember(self, request: Request, frame: RgbdFrame, segmentation: Segmentation) -> None:
        if request.session:
            turn = Turn(segmentation.prompt_text, segmentation.text)
            self._sessions.remember(
                request.session, turn, sketch_view(frame), request.instruction_id
            )

    def _lift(
        self,
        work: Work,
        frame: RgbdFrame,
        segmentation: Segmentation,
        label: str,
        settings: AnswerSettings,
    ) -> None:
        work.begin(Stage.LIFTING)
        targets, are_all = find_targets(frame, segmentation, label, settings.max_targets)
        should_stop = work.request.stop_signal.should_stop
        try:
            work.targets, work.frame_id = in_frame(
                targets, frame, settings.target_frame, should_stop
            )
        except TransformError:
            work.raise_if_stopped()  # which ends the wait for a transform as well
            raise
        if not are_all:
            work.remarks.append(f"There are more than max_targets ({settings.max_targets}).")


def _best_first(segmentation: Segmentation) -> list[int]:
    """Return the masks that mark something, by falling score."""
    by_score = np.argsort(-segmentation.scores, kind="stable")
    return [int(i) for i in by_score if segmentation.masks[i].any()]
