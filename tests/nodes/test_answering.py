"""From a request to an answer with the fake segmenter: every status, without ROS."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from answering_parts import SETTINGS, STAGES, Frames, make_frame
from fakes import FakeSegmenter

from lisa_ros.errors import DepthError, InstructionTooLongError, TransformError
from lisa_ros.geometry import lift_mask
from lisa_ros.nodes.answering import Answerer, AnswerSettings
from lisa_ros.nodes.answers import Answer, NoFrame, Request, Stage, StopSignal
from lisa_ros.nodes.transforms import FixedPose, TargetFrame
from lisa_ros.types import NoDepth, RgbdFrame, Segmentation, Status, Target3D


class Counting(FakeSegmenter):
    """Counts the images it encodes; raises `failure` where one is set."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__()
        self.encoded = 0
        self.failure = failure

    def encode_image(self, image: Any, should_stop: Any = None) -> Any:
        self.encoded += 1
        return super().encode_image(image, should_stop)

    def segment(self, image: Any, instruction: str, **options: Any) -> Segmentation:
        if self.failure is not None:
            raise self.failure
        return super().segment(image, instruction, **options)


def ask(
    instruction: str,
    frame: RgbdFrame | NoFrame | Exception | None = None,
    *,
    segmenter: FakeSegmenter | None = None,
    settings: AnswerSettings = SETTINGS,
    stop_signal: StopSignal | None = None,
    progress: list[tuple[Stage, str]] | None = None,
) -> Answer:
    seen = [] if progress is None else progress
    request = Request(
        instruction_id=7,
        instruction=instruction,
        stop_signal=stop_signal or StopSignal(),
        on_progress=lambda stage, text: seen.append((stage, text)),
        on_answer=lambda answer: None,
    )
    frames = Frames(make_frame() if frame is None else frame)
    return Answerer(segmenter or FakeSegmenter(), frames).answer(request, settings)


def test_found_target_lies_where_the_pixels_and_their_depth_say() -> None:
    answer = ask("the red box")
    assert (answer.status, answer.error_code, answer.instruction_id) == (Status.FOUND, 0, 7)
    assert (answer.frame_id, answer.frame.stamp_ns) == ("camera", 42)
    (target,) = answer.targets
    assert target.target_id == 1
    assert isinstance(target.lifted, Target3D)
    expected = ((54.5 - 39.5) / 100 * 0.8, (24.5 - 29.5) / 100 * 0.8, 0.8)
    np.testing.assert_allclose(target.lifted.position, expected, atol=1e-6)


def test_stages_are_announced_in_order_and_timed() -> None:
    progress: list[tuple[Stage, str]] = []
    answer = ask("the red box", progress=progress)
    assert list(dict.fromkeys(stage for stage, _ in progress)) == STAGES
    assert progress[2:] == [
        (Stage.REASONING, ""),
        (Stage.REASONING, "[SEG]."),
        (Stage.DECODING, "[SEG]."),
        (Stage.LIFTING, "[SEG]."),
    ]
    assert [name for name in answer.timings_ms if "." not in name] == [str(s) for s in STAGES]
    assert "model.mask_decode" in answer.timings_ms
    assert all(milliseconds >= 0 for milliseconds in answer.timings_ms.values())


def test_not_found() -> None:
    answer = ask("the green box")
    assert answer.status == Status.NOT_FOUND
    assert answer.targets == ()
    assert answer.segmentation is not None


def test_mask_without_a_pixel_is_not_found() -> None:
    class Empty(FakeSegmenter):
        def segment(self, image: Any, instruction: str, **options: Any) -> Segmentation:
            answer = super().segment(image, "red", **options)
            return dataclasses.replace(answer, masks=np.zeros_like(answer.masks))

    answer = ask("the red box", segmenter=Empty())
    assert answer.status == Status.NOT_FOUND
    assert "marked no pixel" in answer.reason


@pytest.mark.parametrize("frame", [make_frame(depth=False), make_frame()])
def test_mask_without_depth(frame: RgbdFrame) -> None:
    answer = ask("the blue box", frame)
    assert answer.status == Status.NO_DEPTH
    (target,) = answer.targets
    assert isinstance(target.lifted, NoDepth)
    assert target.lifted.reason in answer.reason
    assert target.mask.sum() == 400


def test_one_target_with_depth_is_enough() -> None:
    answer = ask("red and blue", settings=dataclasses.replace(SETTINGS, mode="generated"))
    assert answer.status == Status.FOUND
    assert [target.target_id for target in answer.targets] == [1, 2]
    assert "1 of 2 targets located." in answer.reason
    assert "Uncalibrated" in answer.reason


def test_max_targets() -> None:
    settings = dataclasses.replace(SETTINGS, mode="generated", max_targets=1)
    assert len(ask("red and blue", settings=settings).targets) == 1


def test_target_frame() -> None:
    T_base_camera = np.eye(4)
    T_base_camera[:3, 3] = (1.0, 2.0, 3.0)
    settings = dataclasses.replace(
        SETTINGS, target_frame=TargetFrame("base", FixedPose(T_base_camera), 0.0)
    )
    here, there = ask("the red box"), ask("the red box", settings=settings)
    assert there.frame_id == "base"
    moved = there.targets[0].lifted.position - here.targets[0].lifted.position
    np.testing.assert_allclose(moved, (1.0, 2.0, 3.0))


class NoTransforms:
    """Knows no way from anywhere to anywhere; counts how often it is asked."""

    def __init__(self, stop: StopSignal | None = None) -> None:
        self.asked: list[tuple[str, str, int, float]] = []
        self._stop = stop

    def lookup(
        self,
        target_frame: str,
        camera_frame: str,
        stamp_ns: int,
        wait_s: float,
        should_stop: Callable[[], bool],
    ) -> Any:
        self.asked.append((target_frame, camera_frame, stamp_ns, wait_s))
        if self._stop is not None:
            self._stop.stop(Status.CANCELED, "replaced")
            assert should_stop()
        raise TransformError("nobody publishes 'base'")


@pytest.mark.parametrize(
    ("instruction", "status", "n_asked"),
    [
        ("the red box", Status.TRANSFORM_FAILED, 1),
        ("the blue box", Status.NO_DEPTH, 0),
        ("the green box", Status.NOT_FOUND, 0),
    ],
)
def test_missing_transform_fails_only_where_there_is_a_position(
    instruction: str, status: Status, n_asked: int
) -> None:
    source = NoTransforms()
    settings = dataclasses.replace(SETTINGS, target_frame=TargetFrame("base", source, 0.3))
    answer = ask(instruction, settings=settings)
    assert answer.status == status
    assert source.asked == [("base", "camera", 42, 0.3)] * n_asked
    if n_asked:
        assert (answer.targets, answer.error_code) == ((), TransformError.code)
        assert "nobody publishes 'base'" in answer.reason


def test_stop_while_waiting_for_a_transform_is_no_failure_of_it() -> None:
    stop = StopSignal()
    target_frame = TargetFrame("base", NoTransforms(stop), 60.0)
    settings = dataclasses.replace(SETTINGS, target_frame=target_frame)
    answer = ask("the red box", settings=settings, stop_signal=stop)
    assert (answer.status, answer.reason) == (Status.CANCELED, "replaced")


def test_mask_over_two_objects_is_two_targets() -> None:
    frame = make_frame()
    frame.image[45:55, 50:60] = frame.image[20, 50]  # the colour of the red box
    answer = ask("the red boxes", frame)
    assert [target.target_id for target in answer.targets] == [1, 2]
    assert answer.reason.startswith("2 of 2 targets located.")
    settings = dataclasses.replace(SETTINGS, max_targets=1)
    answer = ask("the red boxes", frame, settings=settings)
    assert len(answer.targets) == 1
    assert "more than max_targets (1)" in answer.reason


def test_stale_input_passes_the_reason_on() -> None:
    answer = ask("the red box", NoFrame("no image on /lisa/image"))
    assert (answer.status, answer.reason) == (Status.STALE_INPUT, "no image on /lisa/image")
    assert answer.frame is None


@pytest.mark.parametrize(
    ("frame", "failure", "status", "code"),
    [
        (DepthError("bad depth"), None, Status.ERROR, 201),
        (None, InstructionTooLongError("too long"), Status.REJECTED, 102),
        (None, TransformError("no transform"), Status.TRANSFORM_FAILED, 700),
        (None, RuntimeError("CUDA out of memory"), Status.ERROR, 1),
    ],
)
def test_errors_become_answers(
    frame: Exception | None, failure: Exception | None, status: Status, code: int
) -> None:
    answer = ask("the red box", frame, segmenter=Counting(failure))
    assert (answer.status, answer.error_code) == (status, code)
    assert str(frame or failure) in answer.reason


def test_empty_instruction_is_rejected_by_the_backend_too() -> None:
    answer = ask(" \x07 ")
    assert (answer.status, answer.error_code) == (Status.REJECTED, 101)


def test_stop_before_the_start_does_no_work() -> None:
    segmenter = Counting()
    stop = StopSignal()
    stop.stop(Status.CANCELED, "replaced")
    answer = ask("the red box", segmenter=segmenter, stop_signal=stop)
    assert (answer.status, answer.reason) == (Status.CANCELED, "replaced")
    assert segmenter.encoded == 0


@pytest.mark.parametrize("stage", [Stage.ENCODING, Stage.REASONING])
def test_stop_takes_effect_at_the_next_stage_or_word(stage: Stage) -> None:
    stop = StopSignal()

    class StopAt(list):
        def append(self, item: tuple[Stage, str]) -> None:
            super().append(item)
            if item[0] is stage:
                stop.stop(Status.TIMEOUT, "late")

    progress = StopAt()
    answer = ask("the red box", stop_signal=stop, progress=progress)
    assert answer.status == Status.TIMEOUT
    assert Stage.LIFTING not in [seen for seen, _ in progress]


class StopsAfter(FakeSegmenter):
    """Stops the request when the model has said everything."""

    def __init__(self, stop: StopSignal) -> None:
        super().__init__()
        self._stop = stop

    def segment(self, image: Any, instruction: str, **options: Any) -> Segmentation:
        segmentation = super().segment(image, instruction, **options)
        self._stop.stop(Status.CANCELED, "replaced")
        return segmentation


@pytest.mark.parametrize("instruction", ["the red box", "the green box"])
def test_stop_after_the_models_last_word_still_counts(instruction: str) -> None:
    stop = StopSignal()
    answer = ask(instruction, segmenter=StopsAfter(stop), stop_signal=stop)
    assert (answer.status, answer.reason, answer.targets) == (Status.CANCELED, "replaced", ())


def test_stop_while_lifting_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = StopSignal()

    def lift_slowly(*args: Any, **options: Any) -> Target3D | NoDepth:
        stop.stop(Status.TIMEOUT, "late")
        return lift_mask(*args, **options)

    monkeypatch.setattr("lisa_ros.nodes.targets.lift_mask", lift_slowly)
    answer = ask("the red box", stop_signal=stop)
    assert (answer.status, answer.reason, answer.targets) == (Status.TIMEOUT, "late", ())


@pytest.mark.parametrize(
    ("mode", "threshold", "words"),
    [
        ("generated", None, "the model's own words decide"),
        ("generated", 0.5, "the model's own words decide"),
        ("prompted", None, "has no threshold"),
        ("prompted", 0.5, "found_threshold has not been validated"),
    ],
)
@pytest.mark.parametrize("instruction", ["the red box", "the green box", "the blue box"])
def test_uncalibrated_answers_say_why(
    instruction: str, mode: Any, threshold: float | None, words: str
) -> None:
    class Uncalibrated(FakeSegmenter):
        def segment(self, image: Any, instruction: str, **options: Any) -> Segmentation:
            answer = super().segment(image, instruction, **options)
            return dataclasses.replace(answer, calibrated=False)

    segmenter = Uncalibrated()
    segmenter.capabilities = dataclasses.replace(segmenter.capabilities, found_threshold=threshold)
    settings = dataclasses.replace(SETTINGS, mode=mode)
    answer = ask(instruction, segmenter=segmenter, settings=settings)
    assert words in answer.reason
    assert answer.reason.count("Uncalibrated") == 1
    assert "Uncalibrated" not in ask(instruction).reason


def test_encoding_is_reused_for_the_same_frame_only() -> None:
    segmenter, frames = Counting(), Frames(make_frame())
    answerer = Answerer(segmenter, frames)
    request = Request(1, "red", StopSignal(), lambda stage, text: None, lambda answer: None)
    answerer.answer(request, SETTINGS)
    answerer.answer(request, SETTINGS)
    assert segmenter.encoded == 1
    frames.frame = make_frame()
    answerer.answer(request, SETTINGS)
    assert segmenter.encoded == 2
