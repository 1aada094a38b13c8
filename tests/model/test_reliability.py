"""Confidence between the points that were measured."""

import pytest

from lisa_ros.model.reliability import check_reliability, confidence_at


@pytest.mark.parametrize(
    ("seg_probability", "expected"),
    [(0.0, 0.2), (0.25, 0.2), (0.5, 0.5), (0.625, 0.65), (0.75, 0.8), (1.0, 0.8)],
)
def test_confidence_lies_on_the_line_between_the_points(seg_probability, expected):
    points = check_reliability([[0.25, 0.2], [0.75, 0.8]])
    assert confidence_at(points, seg_probability) == pytest.approx(expected)


def test_a_model_that_nobody_measured_has_no_confidence():
    assert confidence_at(check_reliability([]), 0.9) is None
