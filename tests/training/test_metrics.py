"""gIoU and cIoU by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import ciou, giou, pixel_counts


def test_giou_is_a_mean_and_ciou_a_ratio_of_sums() -> None:
    counts = [(10, 10), (0, 30)]
    assert giou(counts) == pytest.approx(0.5)
    assert ciou(counts) == pytest.approx(0.25)


def test_an_empty_pair_counts_one_in_giou_and_nothing_in_ciou() -> None:
    assert giou([(0, 0), (1, 2)]) == pytest.approx(0.75)
    assert ciou([(0, 0), (1, 2)]) == pytest.approx(0.5)


def test_nothing_measured_is_none() -> None:
    assert giou([]) is None
    assert giou([], upstream_compat=True) is None
    assert ciou([(0, 0)]) is None


def test_upstreams_epsilons_lower_the_mean_a_little() -> None:
    counts = [(10, 10), (0, 0)]
    assert giou(counts, upstream_compat=True) == pytest.approx((10 / 10.00001 + 1) / 2.00001)
    assert ciou(counts, upstream_compat=True) == pytest.approx(1)
    assert ciou([(0, 0)], upstream_compat=True) == 0


def test_pixels_are_counted_and_ignored_ones_left_out() -> None:
    truth = np.array([[1, 1, 0, 0, 255, 255, 2, 2]], np.uint8)
    predicted = np.array([[1, 0, 1, 0, 1, 0, 1, 0]], bool)
    # Upstream's 2 is no target: marking it is wrong, and leaving it costs nothing.
    assert pixel_counts(predicted, truth) == (1, 4)
    assert pixel_counts(predicted, np.full((1, 8), 255, np.uint8)) == (0, 0)
