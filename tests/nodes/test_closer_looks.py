"""Second looks and second questions through the answerer."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from answering_parts import SETTINGS, Frames, make_frame
from fakes import FakeSegmenter

from lisa_ros.inference.segmenter import EncodedImage
from lisa_ros.nodes.answering import Answerer
from lisa_ros.nodes.answers import Answer, Request, Stage, StopSignal
from lisa_ros.types import Segmentation, Status

TWO_LOOKS = dataclasses.replace(SETTINGS, look_again=2)


class FarSighted(FakeSegmenter):
    """Finds nothing in the whole frame, which is 80 pixels wide. Keeps what it was asked."""

    def __init__(self, blind: bool = True) -> None:
        super().__init__()
        self.blind = blind
        self.asked: list[tuple[int, str]] = []

    def segment(self, image: Any, instruction: str, **options: Any) -> Segmentation:
        width = image.image_hw[1] if isinstance(image, EncodedImage) else image.shape[1]
        self.asked.append((width, instruction))
        words = "nothing" if self.blind and width == 80 else instruction
        return super().segment(image, words, **options)


def ask(
    instruction: str,
    segmenter: FakeSegmenter,
    settings: Any = TWO_LOOKS,
    *,
    refine: str = "",
    stop_at: Stage | None = None,
) -> tuple[Answer, list[Stage]]:
    stages: list[Stage] = []
    request = Request(
        7,
        instruction,
        StopSignal(canceled=lambda: stop_at in stages),
        on_progress=lambda stage, text: stages.append(stage),
        on_answer=lambda answer: None,
        refine=refine,
    )
    return Answerer(segmenter, Frames(make_frame())).answer(request, settings), stages


def test_a_closer_look_finds_what_the_first_did_not() -> None:
    answer, stages = ask("the red box", FarSighted())
    assert answer.status == Status.FOUND
    assert Stage.LOOKING_AGAIN in stages
    (target,) = answer.targets
    expected = np.zeros((60, 80), bool)
    expected[20:30, 50:60] = True
    np.testing.assert_array_equal(target.mask, expected)
    assert "closer look at 2 parts" in answer.reason
    assert answer.reason.count("Uncalibrated: the model was asked about a part") == 1
    assert answer.segmentation.seen == ((0, 0, 80, 60), (0, 0, 60, 60), (16, 0, 80, 60))


def test_what_closer_looks_do_not_find_either_is_not_found() -> None:
    segmenter = FarSighted()
    answer, _ = ask("the green box", segmenter, dataclasses.replace(SETTINGS, look_again=9))
    assert answer.status == Status.NOT_FOUND
    assert "closer look at 2 parts of the image did not find it" in answer.reason
    assert [width for width, _ in segmenter.asked] == [80, 60, 60]


@pytest.mark.parametrize(
    ("settings", "blind"), [(SETTINGS, True), (TWO_LOOKS, False), (SETTINGS, False)]
)
def test_there_is_one_look_where_no_other_is_wanted_or_needed(settings: Any, blind: bool) -> None:
    segmenter = FarSighted(blind)
    _, stages = ask("the red box", segmenter, settings)
    assert len(segmenter.asked) == 1
    assert Stage.LOOKING_AGAIN not in stages


def test_refining_asks_about_a_close_up_of_what_was_found() -> None:
    segmenter = FarSighted(blind=False)
    answer, stages = ask("the red box", segmenter, refine="its red handle")
    assert answer.status == Status.FOUND
    assert Stage.REFINING in stages
    assert segmenter.asked == [(80, "the red box"), (64, "its red handle")]
    assert answer.targets[0].label == "its red handle"
    assert answer.reason.count("Uncalibrated: the model was asked about a part") == 1
    assert answer.segmentation.seen == ((0, 0, 80, 60), (16, 0, 80, 60))


def test_a_part_that_is_not_there_is_not_found() -> None:
    """The whole in its place would be grasped where nobody wants it."""
    answer, _ = ask("the red box", FarSighted(blind=False), refine="its green handle")
    assert (answer.status, answer.targets) == (Status.NOT_FOUND, ())
    assert "What was asked for was found, but not the part of it." in answer.reason


def test_nothing_is_refined_where_nothing_was_found() -> None:
    segmenter = FarSighted()
    answer, stages = ask("the red box", segmenter, SETTINGS, refine="its red handle")
    assert answer.status == Status.NOT_FOUND
    assert Stage.REFINING not in stages
    assert len(segmenter.asked) == 1


@pytest.mark.parametrize("stage", [Stage.LOOKING_AGAIN, Stage.REFINING])
def test_a_stop_ends_a_closer_look(stage: Stage) -> None:
    segmenter = FarSighted(blind=stage is Stage.LOOKING_AGAIN)
    answer, stages = ask("the red box", segmenter, refine="its red handle", stop_at=stage)
    assert (answer.status, answer.targets) == (Status.CANCELED, ())
    assert Stage.LIFTING not in stages
    assert len(segmenter.asked) == 2
