"""The threshold between yes and no."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training.calibrate import best_threshold

from lisa_ros.errors import ConfigurationError

probabilities = st.lists(st.floats(0.0, 1.0, width=32), min_size=1, max_size=20)


def rates(present: list[float], absent: list[float], threshold: float) -> float:
    found = np.mean(np.asarray(present) >= threshold)
    return float(found + np.mean(np.asarray(absent) < threshold))


def test_separable_answers_are_cut_in_the_middle_of_the_gap() -> None:
    assert best_threshold([0.8, 0.9], [0.1, 0.4]) == pytest.approx(0.6)


def test_one_outlier_does_not_move_the_threshold_to_it() -> None:
    present = [0.9, 0.95, 0.97, 0.99, 0.2]
    absent = [0.1, 0.3, 0.35, 0.4]
    assert 0.4 < best_threshold(present, absent) < 0.9


@given(probabilities, probabilities)
def test_no_other_threshold_does_better(present: list[float], absent: list[float]) -> None:
    best = rates(present, absent, best_threshold(present, absent))
    for other in (0.0, *present, *absent):
        # Just above a value is a different decision from the value itself.
        for threshold in (other, float(np.nextafter(other, 2.0))):
            if 0.0 < threshold < 1.0:
                assert best >= rates(present, absent, threshold) - 1e-9


def test_both_kinds_of_answers_are_needed() -> None:
    with pytest.raises(ConfigurationError, match="present and absent"):
        best_threshold([0.5], [])
