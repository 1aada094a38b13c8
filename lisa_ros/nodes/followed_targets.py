"""The targets of the last answer, carried on from frame to frame between instructions. No ROS."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from lisa_ros.errors import LisaError
from lisa_ros.nodes import reasons
from lisa_ros.nodes.answering import Answerer, AnswerSettings, FrameSource
from lisa_ros.nodes.answers import Answer, FoundTarget, NoFrame, Request, StopSignal, quoted
from lisa_ros.nodes.targets import in_frame, lifted
from lisa_ros.tracking.following import Following, Phase, Step, why_lost
from lisa_ros.tracking.tracker import Seed, Sighting, Tracker
from lisa_ros.types import RgbdFrame, Segmentation, Status

_LOG = logging.getLogger(__name__)
_TARGETS_IN_VIEW = frozenset({Status.FOUND, Status.NO_DEPTH})


class TargetFollower:
    """Follows what the last answer found. Belongs to the model's thread.

    answerer: asks again where all targets are lost. frames: the same camera. tracker: finds them
    again on later frames. now_s: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        answerer: Answerer,
        frames: FrameSource,
        tracker: Tracker,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answerer = answerer
        self._frames = frames
        self._tracker = tracker
        self._following = Following(now_s)
        self._basis: Answer | None = None
        self._last_stamp_ns: int | None = None
        self._last_status = Status.FOUND

    @property
    def is_following(self) -> bool:
        """Whether there are targets that are followed, in sight or lost; any thread may ask."""
        return self._following.phase is not Phase.IDLE

    def take(self, answer: Answer) -> None:
        """Take note of an answer to an instruction: its targets, if any, are those to follow now.

        One that was REJECTED changes nothing.
        """
        if answer.status is not Status.REJECTED:
            self.forget()
            self._basis = answer if answer.targets else None

    def forget(self) -> None:
        """Follow nothing, and forget what there was to follow."""
        self.pause()
        self._basis = None

    def pause(self) -> None:
        """Follow nothing until the next step."""
        self._following.ended()

    def step(
        self, settings: AnswerSettings, ask_again_s: float, preempted: Callable[[], bool]
    ) -> Answer | None:
        """Do what is due; return what is to be published about it, None for nothing.

        preempted: polled; says that something else is to be done. Never raises for what is wrong
        with frames, transforms or the model: it is in the answer, once until it changes.
        """
        basis = self._basis
        if basis is None:
            return None
        try:
            if self._following.phase is Phase.IDLE:
                self._begin(basis)
            frame = self._frames.wait_for_frame(settings.max_frame_age_s, 0.0, preempted)
            if isinstance(frame, RgbdFrame) and self._following.due(ask_again_s) is Step.ASK:
                return self._ask(basis, settings, preempted)
            return self._look(basis, frame, settings, preempted)
        except LisaError as error:
            if preempted():
                return None  # which ends the wait for a transform
            return self._news(_followed(basis, *reasons.failed(error)))
        except Exception as error:  # a fault of ours or of a library must not end the node
            _LOG.exception("following %s failed", quoted(basis.instruction))
            return self._news(_followed(basis, *reasons.failed(error)))

    def _begin(self, answer: Answer) -> None:
        assert answer.frame is not None
        assert answer.segmentation is not None
        try:
            self._tracker.start(answer.frame, _seeds(answer.targets, answer.segmentation))
        except Exception:
            self.forget()  # it would fail again
            raise
        self._basis, self._last_stamp_ns = answer, answer.frame.stamp_ns
        self._last_status = answer.status
        self._following.began()

    def _look(
        self,
        basis: Answer,
        frame: RgbdFrame | NoFrame,
        settings: AnswerSettings,
        preempted: Callable[[], bool],
    ) -> Answer | None:
        if isinstance(frame, NoFrame):
            self._following.looked(in_sight=False)
            return self._news(_followed(basis, Status.STALE_INPUT, frame.reason))
        if frame.stamp_ns == self._last_stamp_ns or preempted():
            return None
        self._last_stamp_ns = frame.stamp_ns
        started_s = time.perf_counter()
        found = self._tracker.update(frame)
        following_ms = 1e3 * (time.perf_counter() - started_s)
        seen = {i: fate for i, fate in found.items() if isinstance(fate, Sighting)}
        self._following.looked(in_sight=bool(seen))
        if preempted():
            return None
        if seen:
            answer = self._seen(basis, frame, seen, settings, preempted)
            if len(seen) < len(found):
                answer = replace(answer, reason=f"{answer.reason} Lost: {why_lost(found)}.")
        else:
            reason = f"{self._following.lost_for()}: {why_lost(found)}."
            answer = _followed(basis, Status.NOT_FOUND, reason)
            answer = replace(answer, frame=frame, frame_id=frame.frame_id)
        timings_ms = {"following": following_ms, **answer.timings_ms}
        return self._news(replace(answer, timings_ms=timings_ms))

    def _seen(
        self,
        basis: Answer,
        frame: RgbdFrame,
        seen: Mapping[int, Sighting],
        settings: AnswerSettings,
        preempted: Callable[[], bool],
    ) -> Answer:
        """Lift what is in sight."""
        assert basis.segmentation is not None
        started_s = time.perf_counter()
        label = basis.targets[0].label
        targets = tuple(
            FoundTarget(i, sighting.mask, sighting.score, lifted(sighting.mask, frame), label)
            for i, sighting in seen.items()
        )
        status, reason = reasons.found_or_no_depth(targets)
        targets, frame_id = in_frame(targets, frame, settings.target_frame, preempted)
        return replace(
            _followed(basis, status, reason),
            frame=frame,
            frame_id=frame_id,
            targets=targets,
            segmentation=replace(
                basis.segmentation,
                masks=np.stack([target.mask for target in targets]),
                scores=np.array([target.score for target in targets], np.float32),
            ),
            timings_ms={"lifting": 1e3 * (time.perf_counter() - started_s)},
        )

    def _ask(
        self, basis: Answer, settings: AnswerSettings, preempted: Callable[[], bool]
    ) -> Answer | None:
        """Put the instruction to the model again; what resembles the lost targets has their ids."""
        request = Request(
            basis.instruction_id,
            basis.instruction,
            StopSignal(canceled=preempted),
            on_progress=lambda stage, text: None,
            on_answer=lambda answer: None,
            session=basis.session,
            refine=basis.refine,
        )
        answer = self._answerer.answer(request, settings)
        if answer.status is Status.CANCELED:
            return None
        self._following.asked()
        answer = replace(answer, reason=f"{self._following.lost_for()}. {answer.reason}")
        self._last_status = answer.status
        if answer.targets and answer.frame is not None:
            masks = [target.mask for target in answer.targets]
            ids = self._tracker.identify(answer.frame, masks)
            renamed = zip(answer.targets, ids, strict=True)
            answer = replace(
                answer, targets=tuple(replace(target, target_id=i) for target, i in renamed)
            )
            self._begin(answer)
        return answer

    def _news(self, answer: Answer) -> Answer | None:
        """Return the answer unless it says again that there is nothing to see."""
        before, self._last_status = self._last_status, answer.status
        return answer if answer.status in _TARGETS_IN_VIEW or answer.status != before else None


def _seeds(targets: tuple[FoundTarget, ...], segmentation: Segmentation) -> list[Seed]:
    """Return the targets with the embeddings of the masks that they are parts of."""
    seeds = []
    for target in targets:
        shares = [np.count_nonzero(mask & target.mask) for mask in segmentation.masks]
        embedding = segmentation.seg_embeddings[int(np.argmax(shares))]
        seeds.append(Seed(target.target_id, target.mask, embedding, segmentation.decoded_in))
    return seeds


def _followed(basis: Answer, status: Status, reason: str, error_code: int = 0) -> Answer:
    """Return an answer about what has become of the targets of another: so far nothing is seen."""
    return replace(
        basis,
        status=status,
        reason=reason,
        error_code=error_code,
        frame=None,
        frame_id="",
        segmentation=None,
        targets=(),
        timings_ms={},
        followed=True,
    )
