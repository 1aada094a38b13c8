"""The threshold between yes and no."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_ros.errors import ConfigurationError
from training.calibrate import FOUND_GOAL, REJECT_GOAL, best_threshold, main

probabilities = st.lists(st.floats(0.0, 1.0, width=32), min_size=1, max_size=20)


def margin(present: list[float], absent: list[float], threshold: float) -> float:
    found = float(np.mean(np.asarray(present) >= threshold))
    rejected = float(np.mean(np.asarray(absent) < threshold))
    return min(found - FOUND_GOAL, rejected - REJECT_GOAL)


def test_separable_answers_are_cut_in_the_middle_of_the_gap() -> None:
    assert best_threshold([0.8, 0.9], [0.1, 0.4]) == pytest.approx((0.6, 1.0, 1.0))


def test_one_outlier_does_not_move_the_threshold_to_it() -> None:
    present = [0.9, 0.95, 0.97, 0.99, 0.2]
    absent = [0.1, 0.3, 0.35, 0.4]
    assert 0.4 < best_threshold(present, absent).value < 0.9


def test_both_goals_are_met_where_they_can_be() -> None:
    present = [0.99] * 82 + [0.5] * 6 + [0.01] * 12
    absent = [0.1] * 90 + [0.6] * 8 + [0.995] * 2
    threshold = best_threshold(present, absent)
    assert threshold.found_rate == pytest.approx(0.88)
    assert threshold.reject_rate == pytest.approx(0.90)


@given(probabilities, probabilities)
def test_no_other_threshold_does_better(present: list[float], absent: list[float]) -> None:
    best = margin(present, absent, best_threshold(present, absent).value)
    for other in (0.0, *present, *absent):
        # Just above a value is a different decision from the value itself.
        for threshold in (other, float(np.nextafter(other, 2.0))):
            if 0.0 < threshold < 1.0:
                assert best >= margin(present, absent, threshold) - 1e-9


def test_both_kinds_of_answers_are_needed() -> None:
    with pytest.raises(ConfigurationError, match="present and absent"):
        best_threshold([0.5], [])


def test_a_checkpoint_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nowhere")]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'nowhere'} is not a folder")
