"""Evaluation sets and segmenters whose figures are known by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from fakes import FakeSegmenter

from lisa_ros.types import Intrinsics
from training.data.sample import NothingToAskError
from training.evaluation.asked import Asked, AskedImage, Depth
from training.evaluation.record import Record

HEIGHT, WIDTH = 24, 32
RED, GREY = (220, 30, 30), (128, 128, 128)
IGNORED_CORNER = np.s_[:4, :4]


def square(left: int, top: int = 8, side: int = 8) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


class RedSquares:
    """Image i has a red 8x8 square whose true mask is i px further to the right, up to image 4.

    So the IoU of whoever marks what is red is (8 - i) / (8 + i). There is also a yellow thing that
    is not there, and a blue one that is there but not blue. Image 4 has nothing to ask.
    """

    name = "squares|val"

    def __len__(self) -> int:
        return 5

    def image(self, index: int) -> AskedImage:
        if index == 4:
            raise NothingToAskError("nothing here")
        pixels = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
        pixels[square(8) > 0] = RED
        truth = square(8 + index)
        truth[IGNORED_CORNER] = 255
        questions = (
            Asked("the red thing", "short", "left", truth),
            Asked("the yellow thing", "long", "left", np.zeros((HEIGHT, WIDTH), np.uint8)),
            Asked("the blue thing", "short", "right", square(20)),
        )
        depth_m = np.full((HEIGHT, WIDTH), 2.0, np.float32)
        camera = Intrinsics(40.0, 40.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)
        return AskedImage(f"img{index}", pixels, questions, Depth(depth_m, depth_m, camera))


def never_rejecting() -> FakeSegmenter:
    segmenter = FakeSegmenter()
    segmenter.capabilities = replace(segmenter.capabilities, found_threshold=None)
    return segmenter


def record(number: int = 0, **changes: object) -> Record:
    """A hit of 8 of 10 pixels, changed as wanted."""
    usual = Record(
        dataset="squares|val",
        mode="prompted",
        index=number,
        image=f"img{number}",
        number=0,
        width_px=WIDTH,
        height_px=HEIGHT,
        form="short",
        source="left",
        question="the red thing",
        answer="[SEG].",
        masks=1,
        target_px=9,
        predicted_px=9,
        intersection=8,
        union=10,
        seg_probability=0.9,
        target_error_m=None,
        miss=None,
    )
    return replace(usual, **changes)


def absent(number: int = 0, **changes: object) -> Record:
    """Nothing is there, and nothing is marked."""
    nothing = {"target_px": 0, "predicted_px": 0, "intersection": 0, "union": 0}
    return record(number, **{**nothing, "seg_probability": 0.2, **changes})
