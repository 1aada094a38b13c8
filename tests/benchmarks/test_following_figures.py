"""The figures of following, on sequences whose figures are known."""

import numpy as np
import pytest
from fakes import FakeSegmenter

from benchmarks.following import ask_every_frame, follow, is_right
from benchmarks.following_figures import Figures, Look, Shot, count, position_of
from lisa_ros.tracking.trackers import tracker_named
from lisa_ros.types import Intrinsics, RgbdFrame

HEIGHT, WIDTH = 60, 80
INTRINSICS = Intrinsics(100.0, 100.0, 39.5, 29.5, WIDTH, HEIGHT)
RED = (220, 30, 30)


def shot(left, index=0):
    """A red box of 12 px; left: its column, None where it is hidden."""
    truth = np.zeros((HEIGHT, WIDTH), bool)
    image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    depth_m = np.full((HEIGHT, WIDTH), 2.0, np.float32)
    if left is not None:
        truth[20:32, left : left + 12] = True
        image[truth] = RED
        depth_m[truth] = 0.8
    frame = RgbdFrame(image, depth_m, INTRINSICS, "camera", round(index * 2e8))
    return Shot(frame, truth, position_of(frame, truth))


def figures_of(shots, looks):
    figures = Figures()
    count(figures, shots, looks)
    return figures.summary()


def test_a_perfect_tracker():
    shots = [shot(20 + 2 * i, i) for i in range(6)]
    looks = [Look({1: each.truth}, 5.0) for each in shots[1:]]
    assert figures_of(shots, looks) == {
        "found": 1.0,
        "claimed": None,
        "switches": 0,
        "jitter_mm": 0.0,
        "ms": 5.0,
    }


def test_misses_claims_and_switches_are_counted():
    shots = [shot(left) for left in (20, 20, 20, None, None, 20, 20)]
    truth, elsewhere = shots[0].truth, shot(60).truth
    looks = [
        Look(masks, 1.0)
        for masks in (
            {1: truth},
            {1: elsewhere},
            {},
            {1: elsewhere},
            {1: elsewhere, 2: truth},
            {1: truth},
        )
    ]
    summary = figures_of(shots, looks)
    assert (summary["found"], summary["claimed"], summary["switches"]) == (0.75, 0.5, 2)


def test_a_constant_error_is_no_jitter_and_an_alternating_one_is():
    """Shifted by two columns to and fro: 2 px of 100 at 0.8 m are 16 mm, in one of three axes."""
    shots = [shot(30) for _ in range(9)]
    beside = shot(32).truth & shot(30).truth  # ten of twelve columns: the median moves one column
    steady = figures_of(shots, [Look({1: beside}, 1.0) for _ in shots[1:]])
    assert steady["jitter_mm"] == 0.0
    masks = [beside if i % 2 else shots[0].truth for i in range(8)]
    shaking = figures_of(shots, [Look({1: mask}, 1.0) for mask in masks])
    assert shaking["jitter_mm"] == pytest.approx(8.0 / np.sqrt(6), rel=0.1)


@pytest.mark.parametrize("way", ["ask", "redecode", "flow"])
def test_all_ways_run_and_find_again_what_was_hidden(way):
    segmenter = FakeSegmenter()
    path = [20, 22, 24, 26, *[None] * 12, 50, 52, 54, 56]
    shots = [shot(left, i) for i, left in enumerate(path)]
    assert is_right(segmenter, "the red box", shots[0])
    assert not is_right(segmenter, "the red box", shots[5])
    if way == "ask":
        looks = ask_every_frame(segmenter, "the red box", shots)
    else:
        looks = follow(tracker_named(way, segmenter), segmenter, "the red box", shots)
    summary = figures_of(shots, looks)
    assert summary["found"] == 1.0
    assert summary["claimed"] == 0.0
    assert summary["switches"] == 0
    assert summary["jitter_mm"] < 5
