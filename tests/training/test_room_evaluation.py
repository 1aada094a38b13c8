"""Evaluation against a segmenter whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from block_rooms import block_room
from fakes import FakeSegmenter

from lisa_ros.errors import ConfigurationError
from training.room_evaluation import ask_about_rooms, target_error_m


def test_the_true_mask_has_no_error_and_a_shifted_one_its_shift() -> None:
    room = block_room(1)
    truth = room.mask([1])
    assert target_error_m(truth, truth, room.depth_m, room) == 0.0
    top = np.flatnonzero(truth.any(axis=1))[0]
    half = truth.copy()
    half[top + 6 :] = False
    # The upper half's median lies three rows up, at 0.8 m and 60 px focal length.
    assert target_error_m(half, truth, room.depth_m, room) == pytest.approx(3 * 0.8 / 60, abs=1e-6)


def test_nothing_to_lift_is_infinite_and_nothing_to_compare_with_is_none() -> None:
    room = block_room(1)
    nothing = np.zeros_like(room.mask([1]))
    assert target_error_m(nothing, room.mask([1]), room.depth_m, room) == float("inf")
    assert target_error_m(room.mask([1]), nothing, room.depth_m, room) is None


def test_a_segmenter_that_finds_by_colour_is_judged_right() -> None:
    segmenter = FakeSegmenter()
    segmenter.capabilities = replace(segmenter.capabilities, found_threshold=None)
    rooms = [block_room(seed) for seed in range(6)]
    answers = list(ask_about_rooms(segmenter, rooms, seed=0, split="train", noise=False))
    by_color = [a for a in answers if a.request.present and " red " in f" {a.request.text} "]
    assert by_color
    assert all(a.intersection == a.union for a in by_color)
    assert all(a.union == 0 for a in answers if not a.request.present)


def test_a_segmenter_that_rejects_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="before rejection"):
        next(ask_about_rooms(FakeSegmenter(), [block_room(0)], seed=0, split="train", noise=False))
