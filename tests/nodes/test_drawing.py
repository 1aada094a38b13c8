"""The overlay picture: what is written beside a target, and that nothing makes drawing fail."""

from __future__ import annotations

import numpy as np
import pytest

from lisa_ros.nodes.answers import Answer, FoundTarget
from lisa_ros.nodes.drawing import draw_overlay, target_caption, target_color
from lisa_ros.types import (
    NoDepth,
    OrientedBox,
    PixelBox,
    RgbdFrame,
    Segmentation,
    Status,
    Target3D,
)

MASK = np.zeros((60, 80), bool)
MASK[20:40, 30:50] = True


def make_target(label: str, distance_m: float | None = 1.234, target_id: int = 3) -> FoundTarget:
    lifted: Target3D | NoDepth = NoDepth("holes", depth_coverage=0.0, mask_px=400)
    if distance_m is not None:
        lifted = Target3D(
            position=np.array([5.0, 6.0, 7.0]),  # in another frame than the camera's
            distance_m=distance_m,
            covariance=np.eye(3) * 1e-4,
            extent=np.ones(3),
            box=OrientedBox(np.zeros(3), np.eye(3), np.ones(3)),
            normal=np.array([0.0, 0.0, -1.0]),
            depth_coverage=1.0,
            kept_px=400,
            mask_px=400,
        )
    return FoundTarget(target_id, MASK, 0.9, lifted, label)


def make_answer(
    *targets: FoundTarget, status: Status = Status.FOUND, seen: tuple[PixelBox, ...] = ()
) -> Answer:
    frame = RgbdFrame(np.full((60, 80, 3), 90, np.uint8), None, None, "camera", 1)
    segmentation = Segmentation(
        text="[SEG].",
        prompt_text="the mug",
        masks=np.zeros((0, 60, 80), bool),
        scores=np.zeros(0, np.float32),
        seg_embeddings=np.zeros((0, 4), np.float32),
        seg_probability=0.9,
        found=True,
        calibrated=True,
        seen=seen,
    )
    return Answer(1, "the mug", status, "", frame=frame, segmentation=segmentation, targets=targets)


@pytest.mark.parametrize(
    ("label", "distance_m", "caption"),
    [
        ("the red mug", 1.234, "3: the red mug, 1.23 m"),
        ("the red mug", None, "3: the red mug, no depth"),
        ("", 1.234, "3: 1.23 m"),
        ("two\nlines", 1.0, "3: two lines, 1.00 m"),
        ("w" * 200, 1.0, f"3: {'w' * 32}..., 1.00 m"),
    ],
)
def test_caption_has_id_words_and_distance(
    label: str, distance_m: float | None, caption: str
) -> None:
    assert target_caption(make_target(label, distance_m)) == caption


@pytest.mark.parametrize(
    "label", ["", "w" * 9999, "\x00\n\t\x1b[31m", "杯子 🥤 كوب", "a\u0301" * 50]
)
def test_any_words_can_be_drawn(label: str) -> None:
    picture = draw_overlay(make_answer(make_target(label)))
    assert picture.shape == (60, 80, 3)


def test_mask_is_tinted_and_outlined_in_the_colour_of_its_id() -> None:
    picture = draw_overlay(make_answer(make_target("")))
    np.testing.assert_array_equal(picture[39, 30], target_color(3))
    inside = 90 + 0.45 * (np.array(target_color(3)) - 90.0)
    np.testing.assert_allclose(picture[36, 33], inside, atol=1)
    np.testing.assert_array_equal(picture[50, 60], (90, 90, 90))


def test_what_was_not_seen_is_darker_and_what_was_seen_framed() -> None:
    target = make_target("")
    picture = draw_overlay(
        make_answer(target, seen=(PixelBox(0, 0, 10, 60), PixelBox(5, 0, 60, 60)))
    )
    np.testing.assert_array_equal(picture[50, 70], (45, 45, 45))
    np.testing.assert_array_equal(picture[50, 20], (90, 90, 90))
    for column in (0, 9, 5, 59):
        np.testing.assert_array_equal(picture[50, column], (255, 255, 255))
    whole = draw_overlay(make_answer(target, seen=(PixelBox(0, 0, 80, 60),)))
    np.testing.assert_array_equal(whole, draw_overlay(make_answer(target)))


def test_answer_without_targets_says_its_status() -> None:
    picture = draw_overlay(make_answer(status=Status.NOT_FOUND))
    assert (picture != 90).any()
