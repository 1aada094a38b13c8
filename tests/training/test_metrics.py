"""gIoU, cIoU and the summary of an evaluation, by hand."""

from __future__ import annotations

import pytest

from lisa_ros.simulation.requests import Request
from training.evaluate import summary, table
from training.metrics import ciou, giou
from training.room_evaluation import Answer

HERE = Request("the mug", "name", (1,), True, "train")
AWAY = Request("the ball", "implicit", (), False, "train")


def test_giou_is_a_mean_and_ciou_a_ratio_of_sums() -> None:
    counts = [(10, 10), (0, 30)]
    assert giou(counts) == pytest.approx(0.5)
    assert ciou(counts) == pytest.approx(0.25)


def test_an_empty_pair_counts_one_in_giou_and_nothing_in_ciou() -> None:
    assert giou([(0, 0), (1, 2)]) == pytest.approx(0.75)
    assert ciou([(0, 0), (1, 2)]) == pytest.approx(0.5)


def test_nothing_measured_is_none() -> None:
    assert giou([]) is None
    assert ciou([(0, 0)]) is None


def test_summary_separates_present_from_absent() -> None:
    answers = [
        Answer(HERE, 0.9, 8, 10, 0.01),
        Answer(HERE, 0.3, 0, 10, float("inf")),
        Answer(HERE, 0.8, 4, 10, 0.02),
        Answer(AWAY, 0.2, 0, 0, None),
        Answer(AWAY, 0.7, 0, 0, None),
    ]
    figures = summary(answers, threshold=0.5)
    assert figures["giou"] == pytest.approx(0.4)
    assert figures["ciou"] == pytest.approx(0.4)
    assert figures["found_rate"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["reject_rate"] == pytest.approx(0.5)
    assert figures["target_error_m_median"] == pytest.approx(0.02)
    assert (figures["n_present"], figures["n_absent"]) == (3, 2)


def test_a_median_that_cannot_be_lifted_is_null_and_without_threshold_nothing_is_rejected() -> None:
    answers = [Answer(HERE, 0.1, 0, 10, float("inf")), Answer(AWAY, 0.1, 0, 0, None)]
    figures = summary(answers, threshold=None)
    assert figures["target_error_m_median"] is None
    assert (figures["found_rate"], figures["reject_rate"]) == (1.0, 0.0)


def test_the_table_has_a_line_for_each_form_and_one_for_all() -> None:
    lines = table([Answer(HERE, 0.9, 8, 10, 0.01), Answer(AWAY, 0.2, 0, 0, None)], 0.5).split("\n")
    assert [line.split()[0] for line in lines] == ["form", "implicit", "name", "all"]
    assert lines[-1].split()[1:] == ["1", "1", "0.800", "0.800", "1.000", "1.000", "10.0"]
