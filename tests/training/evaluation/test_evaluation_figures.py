"""Figures by hand, and the curve of confidence."""

from __future__ import annotations

import numpy as np
import pytest
from known_answers import absent, record

from training.evaluation.figures import doubts, figures, set_figures
from training.evaluation.reliability import MIN_ANSWERS, precision_points, reliability
from training.evaluation.room_figures import summary, table

INF = float("inf")
RECORDS = [
    record(0, target_error_m=0.01),
    record(1, intersection=0, seg_probability=0.3, target_error_m=INF, miss="did not see"),
    record(2, intersection=4, seg_probability=0.8, target_error_m=0.04, miss="did not understand"),
    absent(3, form="long"),
    absent(4, form="long", union=6, predicted_px=6, seg_probability=0.7),
]


def test_figures_over_all_and_over_what_is_there() -> None:
    found = figures(RECORDS, 0.5)
    assert (found["n"], found["n_present"], found["n_absent"]) == (5, 3, 2)
    assert found["giou"] == pytest.approx((0.8 + 0 + 0.4 + 1 + 0) / 5)
    assert found["ciou"] == pytest.approx(12 / 36)
    assert found["giou_present"] == pytest.approx(0.4)
    assert found["ciou_present"] == pytest.approx(0.4)
    assert found["no_target_accuracy"] == 0.5
    assert found["target_accuracy"] == 1
    assert found["found_rate"] == pytest.approx(2 / 3)
    assert found["reject_rate"] == 0.5
    assert found["target_error_m_median"] == pytest.approx(0.04)
    assert found["target_error_close"] == pytest.approx(1 / 3)
    assert (found["n_lifted"], found["n_unlifted"]) == (3, 1)
    assert (found["n_missed"], found["n_not_understood"], found["n_not_seen"]) == (2, 1, 1)


def test_what_was_not_asked_is_none_and_an_infinite_median_too() -> None:
    found = figures([record(target_error_m=INF)], None)
    nothing = ("no_target_accuracy", "found_rate", "reject_rate", "target_error_m_median")
    assert [found[key] for key in nothing] == [None] * 4
    assert figures([absent()], 0.5)["giou_present"] is None


def test_figures_by_form_and_by_source() -> None:
    found = set_figures([*RECORDS, record(5, source="right")], 0.5)
    assert {form: f["n"] for form, f in found["forms"].items()} == {"long": 2, "short": 4}
    assert {name: f["n"] for name, f in found["sources"].items()} == {"left": 5, "right": 1}
    assert found["reliability"]["ece"] > 0


def test_a_model_that_never_expects_seg_is_doubted() -> None:
    assert doubts(RECORDS) == []
    (doubt,) = doubts([record(i, seg_probability=0.001) for i in range(3)])
    assert "tokenizer" in doubt
    assert doubts([absent()]) == []


def test_a_calibrated_model_has_no_calibration_error() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.uniform(size=20_000)
    present = rng.uniform(size=20_000) < probabilities
    curve = reliability(probabilities.tolist(), present.tolist())
    assert curve is not None
    assert curve.ece < 0.02
    assert [b.low for b in curve.bins] == pytest.approx(np.arange(10) / 10)
    assert sum(b.count for b in curve.bins) == 20_000


def test_a_model_that_is_always_sure_errs_by_the_share_of_what_is_absent() -> None:
    curve = reliability([1.0] * 4, [True, True, True, False])
    assert curve is not None
    assert curve.ece == pytest.approx(0.25)
    assert [(b.low, b.high, b.count) for b in curve.bins] == [(0.9, 1.0, 4)]


def test_without_both_kinds_there_is_no_curve() -> None:
    assert reliability([0.5], [True]) is None
    assert reliability([], []) is None


def test_precision_points_follow_what_was_counted() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.uniform(size=20_000)
    right = rng.uniform(size=20_000) < 0.8 * probabilities**2
    points = np.array(precision_points(probabilities.tolist(), right.tolist()))
    np.testing.assert_allclose(points[:, 1], 0.8 * points[:, 0] ** 2, atol=0.03)
    assert (np.diff(points, axis=0) > 0).all()


def test_precision_points_that_would_fall_are_pooled() -> None:
    shares = {0.15: 0.2, 0.45: 0.6, 0.75: 0.4, 0.95: 1.0}  # of 100 answers each
    probabilities = np.repeat(list(shares), 100)
    right = np.concatenate([np.arange(100) < 100 * share for share in shares.values()])
    points = precision_points(probabilities.tolist(), right.tolist())
    np.testing.assert_allclose(points, [(0.15, 0.2), (0.6, 0.5), (0.95, 1.0)])


def test_a_precision_point_rests_on_enough_answers() -> None:
    n = MIN_ANSWERS
    probabilities = [0.15] * n + [0.55] * (n - 1) + [0.75] * n + [0.95]
    right = [False] * n + [True] * (2 * n)
    points = precision_points(probabilities, right)
    assert len(points) == 2
    assert points[1] == pytest.approx((np.mean(probabilities[n:]), 1.0))
    assert precision_points([0.9], [True]) == ()


def test_the_summary_of_rooms_is_over_what_is_there() -> None:
    found = summary(RECORDS, threshold=0.5)
    assert list(found) == [
        "giou", "ciou", "found_rate", "reject_rate", "target_error_m_median", "n_unlifted",
        "n_present", "n_absent",
    ]  # fmt: skip
    assert (found["giou"], found["ciou"]) == (0.4, 0.4)
    assert (found["found_rate"], found["reject_rate"]) == (0.6667, 0.5)
    assert (found["n_present"], found["n_absent"], found["n_unlifted"]) == (3, 2, 1)


def test_without_threshold_nothing_is_rejected() -> None:
    found = summary(RECORDS, threshold=None)
    assert (found["found_rate"], found["reject_rate"]) == (1.0, 0.0)


def test_the_table_has_a_line_for_each_form_and_one_for_all() -> None:
    lines = table(RECORDS, 0.5).split("\n")
    assert [line.split()[0] for line in lines] == ["form", "long", "short", "all"]
    assert lines[-1].split()[1:] == ["3", "2", "0.400", "0.400", "0.667", "0.500", "40.0"]
