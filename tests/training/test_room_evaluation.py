"""Evaluation against a segmenter whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from block_rooms import block_room
from fakes import FakeSegmenter

from lisa_ros.errors import ConfigurationError
from training.evaluation.asked import Depth
from training.evaluation.target_error import target_error_m
from training.room_evaluation import ask_about_rooms


def test_the_true_mask_has_no_error_and_a_shifted_one_its_shift() -> None:
    room = block_room(1)
    depth = Depth(room.depth_m, room.depth_m, room.intrinsics)
    truth = room.mask([1])
    assert target_error_m(truth, truth, depth) == 0.0
    top = np.flatnonzero(truth.any(axis=1))[0]
    half = truth.copy()
    half[top + 6 :] = False
    # The upper half's median lies three rows up, at 0.8 m and 60 px focal length.
    assert target_error_m(half, truth, depth) == pytest.approx(3 * 0.8 / 60, abs=1e-6)


def test_nothing_to_lift_is_infinite_and_nothing_to_compare_with_is_none() -> None:
    room = block_room(1)
    depth = Depth(room.depth_m, room.depth_m, room.intrinsics)
    nothing = np.zeros_like(room.mask([1]))
    assert target_error_m(nothing, room.mask([1]), depth) == float("inf")
    assert target_error_m(room.mask([1]), nothing, depth) is None


def test_a_segmenter_that_finds_by_colour_is_judged_right() -> None:
    segmenter = FakeSegmenter()
    segmenter.capabilities = replace(segmenter.capabilities, found_threshold=None)
    rooms = [block_room(seed) for seed in range(6)]
    answers = list(ask_about_rooms(segmenter, rooms, seed=0, split="train", noise=False))
    by_color = [a for a in answers if a.present and " red " in f" {a.question} "]
    assert by_color
    assert all(a.intersection == a.union == 144 for a in by_color)
    assert all(a.target_error_m == 0 for a in by_color)
    absent = [a for a in answers if not a.present]
    assert absent
    assert all(a.intersection == 0 and a.union == a.predicted_px for a in absent)


def test_a_segmenter_that_rejects_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="before rejection"):
        next(ask_about_rooms(FakeSegmenter(), [block_room(0)], seed=0, split="train", noise=False))
