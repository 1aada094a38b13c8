"""Following between instructions: what is published when, without ROS and with a turned clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("lisa_ros.msg")

from answering_parts import INTRINSICS, SETTINGS, Frames
from fakes import FakeSegmenter

from lisa_ros.errors import ImageError
from lisa_ros.nodes.answering import Answerer
from lisa_ros.nodes.answers import Answer, NoFrame, Request, StopSignal
from lisa_ros.nodes.followed_targets import TargetFollower
from lisa_ros.nodes.transforms import FixedPose, TargetFrame
from lisa_ros.tracking.trackers import tracker_named
from lisa_ros.types import RgbdFrame, Status, Target3D

RED, BLUE = (220, 30, 30), (30, 30, 220)
ASK_AGAIN_S = 2.0
PERIOD_S = 0.25  # exact in binary, as are its sums


def frame_of(boxes: dict[tuple[int, int, int], int], seconds: float, z_m: float = 0.8) -> RgbdFrame:
    """Boxes of 10 px on a grey wall; boxes: the left column of each by colour."""
    image = np.full((60, 80, 3), 128, np.uint8)
    depth_m = np.full((60, 80), 2.0, np.float32)
    for colour, left in boxes.items():
        image[20:30, left : left + 10] = colour
        depth_m[20:30, left : left + 10] = z_m
    return RgbdFrame(image, depth_m, INTRINSICS, "camera", round(seconds * 1e9))


class Watching(FakeSegmenter):
    """Counts the questions, and keeps the earlier turns that each came with."""

    questions = 0

    def __init__(self) -> None:
        super().__init__()
        self.histories: list[list[str]] = []

    def segment(self, *args: Any, **options: Any) -> Any:
        self.questions += 1
        self.histories.append([turn.instruction for turn in options["history"]])
        return super().segment(*args, **options)


class Room:
    """A follower, its camera and its clock."""

    def __init__(self, tracker: str = "redecode") -> None:
        self.now_s = 0.0
        self.frames = Frames(frame_of({RED: 40}, 0.0))
        self.segmenter = Watching()
        self.answerer = Answerer(self.segmenter, self.frames)
        self.follower = TargetFollower(
            self.answerer,
            self.frames,
            tracker_named(tracker, self.segmenter),
            now_s=lambda: self.now_s,
        )
        self.settings = SETTINGS

    def ask(
        self,
        instruction: str = "the red box",
        generated: bool = False,
        number: int = 7,
        session: str = "",
    ) -> Answer:
        request = Request(
            number, instruction, StopSignal(), lambda *_: None, lambda _: None, session
        )
        settings = replace(self.settings, mode="generated" if generated else "prompted")
        answer = self.answerer.answer(request, settings)
        self.follower.take(answer)
        return answer

    def step(
        self,
        boxes: dict[tuple[int, int, int], int] | None = None,
        preempted: Callable[[], bool] = lambda: False,
    ) -> Answer | None:
        """Let a period pass; boxes: where they are now, None for no new frame."""
        self.now_s += PERIOD_S
        if boxes is not None:
            self.frames.frame = frame_of(boxes, self.now_s)
        return self.follower.step(self.settings, ASK_AGAIN_S, preempted)


@pytest.fixture(params=["redecode", "flow"])
def room(request: pytest.FixtureRequest) -> Room:
    return Room(request.param)


def test_nothing_is_followed_before_an_answer(room: Room) -> None:
    assert room.step({RED: 40}) is None
    assert not room.follower.is_following


def test_targets_are_carried_on_without_asking(room: Room) -> None:
    asked = room.ask()
    for left in range(41, 60, 2):
        answer = room.step({RED: left})
        assert answer is not None
        assert answer.status is Status.FOUND, answer.reason
        assert answer.followed
        assert (answer.instruction_id, answer.instruction) == (7, "the red box")
        assert answer.frame is room.frames.frame
        (target,) = answer.targets
        assert target.target_id == asked.targets[0].target_id
        assert target.label == "the red box"
        assert np.flatnonzero(target.mask.any(axis=0))[0] == pytest.approx(left, abs=1)
        assert isinstance(target.lifted, Target3D)
        assert target.lifted.position[2] == pytest.approx(0.8, abs=1e-3)
        assert answer.segmentation is not None
        assert answer.segmentation.masks.shape == (1, 60, 80)
        assert answer.segmentation.prompt_text == asked.segmentation.prompt_text  # type: ignore[union-attr]
        assert set(answer.timings_ms) == {"following", "lifting"}
    assert room.segmenter.questions == 1


def test_the_same_frame_is_not_looked_at_twice(room: Room) -> None:
    room.ask()
    assert room.step() is None
    assert room.step({RED: 41}) is not None
    assert room.step() is None


def test_a_loss_is_told_once_with_the_reason(room: Room) -> None:
    room.ask()
    room.step({RED: 41})
    lost = room.step({})
    assert lost is not None
    assert lost.status is Status.NOT_FOUND
    assert lost.followed
    assert lost.reason.startswith("Lost 0.0 s ago: target 1 (")
    assert lost.targets == ()
    assert lost.frame is room.frames.frame
    assert room.step({}) is None
    assert room.follower.is_following


def test_a_target_that_comes_back_is_found_without_asking(room: Room) -> None:
    room.ask()
    room.step({})
    back = room.step({RED: 42})
    assert back is not None
    assert back.status is Status.FOUND
    assert back.targets[0].target_id == 1
    assert room.segmenter.questions == 1


def test_a_lost_target_is_asked_for_at_the_rate_and_found_with_its_id(room: Room) -> None:
    room.frames.frame = frame_of({RED: 20, BLUE: 60}, 0.05)
    asked = room.ask("red and blue", generated=True)
    ids = {colour_of(asked, target.mask): target.target_id for target in asked.targets}
    room.settings = replace(room.settings, mode="generated")
    questions = room.segmenter.questions
    answers = [room.step({}) for _ in range(40)]  # 10 s
    told = [answer for answer in answers if answer is not None]
    assert [answer.status for answer in told] == [Status.NOT_FOUND] * len(told)
    assert room.segmenter.questions - questions == len(told) - 1 == 4
    assert [answer.followed for answer in told] == [True] + [False] * 4
    assert "Lost 2.0 s ago and asked for again once." in told[1].reason
    assert "asked for again 4 times" in told[-1].reason
    # Far from where they were, and in the other order; the trackers would not believe it so soon.
    room.follower._tracker.update = lambda frame: pytest.fail("asked, not looked")  # type: ignore
    room.now_s += ASK_AGAIN_S
    found = room.step({BLUE: 5, RED: 65})
    assert found is not None
    assert found.status is Status.FOUND
    assert not found.followed
    assert {colour_of(found, target.mask): target.target_id for target in found.targets} == ids


def test_a_follow_up_is_asked_again_with_the_turns_before_it_alone(room: Room) -> None:
    room.ask("the blue box", number=7, session="table")
    room.ask("and the red one?", number=8, session="table")
    first, *_ = room.segmenter.histories[-1]
    room.step({RED: 41})
    for _ in range(20):
        room.step({RED: 41, BLUE: 41})  # the target is hidden, the view stays
    assert room.segmenter.questions > 3
    assert room.segmenter.histories[1:] == [[first]] * (room.segmenter.questions - 1)


def colour_of(answer: Answer, mask: np.ndarray) -> str:
    assert answer.frame is not None
    return "red" if answer.frame.image[mask][:, 0].mean() > 150 else "blue"


def test_of_several_targets_the_lost_one_is_named(room: Room) -> None:
    room.frames.frame = frame_of({RED: 20, BLUE: 60}, 0.0)
    room.ask("red and blue", generated=True)
    answer = room.step({RED: 21})
    assert answer is not None
    assert answer.status is Status.FOUND
    assert len(answer.targets) == 1
    assert "1 of 1 targets located. Lost: target " in answer.reason


def test_new_instructions_clear_and_refusals(room: Room) -> None:
    room.ask()
    room.step({RED: 41})
    room.follower.take(Answer(8, "", Status.REJECTED, "empty"))
    assert room.step({RED: 42}) is not None
    room.frames.frame = frame_of({RED: 42}, room.now_s + 0.01)
    assert room.ask("the blue box").status is Status.NOT_FOUND
    assert room.step({RED: 43}) is None
    room.ask()
    assert room.step({RED: 44}) is not None
    room.follower.forget()
    assert room.step({RED: 45}) is None


def test_a_pause_ends_with_the_next_step(room: Room) -> None:
    room.ask()
    room.step({RED: 41})
    room.follower.pause()
    assert not room.follower.is_following
    answer = room.step({RED: 43})
    assert answer is not None
    assert answer.status is Status.FOUND
    assert room.follower.is_following


def test_no_frames_and_malformed_ones_are_told_once(room: Room) -> None:
    room.ask()
    room.step({RED: 41})
    room.frames.frame = NoFrame("No image has arrived.")
    stale = room.step()
    assert stale is not None
    assert (stale.status, stale.reason) == (Status.STALE_INPUT, "No image has arrived.")
    assert room.step() is None
    room.frames.frame = ImageError("half an image")
    error = room.step()
    assert error is not None
    assert (error.status, error.error_code) == (Status.ERROR, ImageError.code)
    assert room.step() is None
    back = room.step({RED: 43})
    assert back is not None
    assert back.status is Status.FOUND


def test_nothing_is_asked_while_there_is_no_frame(room: Room) -> None:
    room.ask()
    room.step({})
    room.frames.frame = NoFrame("No image has arrived.")
    questions = room.segmenter.questions
    told = [answer for _ in range(40) if (answer := room.step()) is not None]  # 10 s
    assert [(answer.status, answer.reason) for answer in told] == [
        (Status.STALE_INPUT, "No image has arrived.")
    ]
    assert room.segmenter.questions == questions
    again = room.step({})
    assert again is not None
    assert "asked for again once" in again.reason


def test_a_crash_of_a_library_is_an_answer(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any) -> None:
        raise RuntimeError("a library failed")

    room.ask()
    monkeypatch.setattr(room.follower._tracker, "update", crash)
    answer = room.step({RED: 41})
    assert answer is not None
    assert answer.status is Status.ERROR
    assert "a library failed" in answer.reason
    assert room.step({RED: 42}) is None


def test_what_cannot_be_started_is_given_up(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any) -> None:
        raise RuntimeError("out of memory")

    room.ask()
    monkeypatch.setattr(room.follower._tracker, "start", crash)
    answer = room.step({RED: 41})
    assert answer is not None
    assert answer.status is Status.ERROR
    assert room.step({RED: 42}) is None
    assert not room.follower.is_following


def test_instructions_come_first(room: Room) -> None:
    room.ask()
    assert room.step({RED: 41}, preempted=lambda: True) is None
    room.step({})
    room.now_s += ASK_AGAIN_S
    questions = room.segmenter.questions
    assert room.step({RED: 42}, preempted=lambda: True) is None
    assert room.segmenter.questions == questions
    assert room.step() is not None


def test_positions_are_in_the_frame_that_is_asked_for(room: Room) -> None:
    T_base_camera = np.eye(4)
    T_base_camera[2, 3] = 1.0
    room.settings = replace(
        SETTINGS, target_frame=TargetFrame("base", FixedPose(T_base_camera), 0.0)
    )
    room.ask()
    answer = room.step({RED: 41})
    assert answer is not None
    assert answer.frame_id == "base"
    assert isinstance(answer.targets[0].lifted, Target3D)
    assert answer.targets[0].lifted.position[2] == pytest.approx(1.8, abs=1e-3)
