"""What an interval of a difference must and must not be."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.bootstrap import Ratio, paired_difference


def ratios(values: np.ndarray) -> list[Ratio]:
    return [Ratio(float(value), 1.0) for value in values]


def test_a_model_compared_with_itself_differs_by_exactly_nothing() -> None:
    values = ratios(np.random.default_rng(0).uniform(size=50))
    found = paired_difference(values, values, range(50), seed=1)
    assert found is not None
    assert (found.difference, found.low, found.high) == (0, 0, 0)


def test_a_constant_gain_is_certain_because_samples_are_paired() -> None:
    values = np.random.default_rng(0).uniform(size=50)
    found = paired_difference(ratios(values), ratios(values + 0.1), range(50), seed=1)
    assert found is not None
    assert [found.difference, found.low, found.high] == pytest.approx([0.1] * 3)


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 2000))
    found = paired_difference(ratios(a), ratios(b), range(2000), seed=0)
    assert found is not None
    half = 1.96 * np.std(b - a) / np.sqrt(2000)
    assert found.difference == pytest.approx(np.mean(b - a))
    assert found.low == pytest.approx(found.difference - half, abs=0.1 * half)
    assert found.high == pytest.approx(found.difference + half, abs=0.1 * half)


def test_sentences_of_one_image_are_no_independent_samples() -> None:
    rng = np.random.default_rng(5)
    gains = rng.normal(size=40).repeat(25)
    zeros = ratios(np.zeros(1000))
    apart = paired_difference(zeros, ratios(gains), range(1000), seed=0)
    together = paired_difference(zeros, ratios(gains), np.arange(1000).tolist(), seed=0)
    clustered = paired_difference(zeros, ratios(gains), (np.arange(1000) // 25).tolist(), seed=0)
    assert apart == together
    assert apart is not None
    assert clustered is not None
    widening = (clustered.high - clustered.low) / (apart.high - apart.low)
    assert widening == pytest.approx(5, rel=0.2)


def test_a_ratio_of_sums_weighs_by_its_denominator() -> None:
    a = [Ratio(1, 10), Ratio(90, 90)]
    b = [Ratio(10, 10), Ratio(90, 90)]
    found = paired_difference(a, b, [0, 1], seed=0)
    assert found is not None
    assert (found.a, found.b) == pytest.approx((0.91, 1.0))


def test_it_is_seeded() -> None:
    a, b = np.random.default_rng(3).normal(size=(2, 30))
    first, again, other = (
        paired_difference(ratios(a), ratios(b), range(30), seed=seed) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_resamples_of_empty_masks_alone_have_no_say() -> None:
    a = [Ratio(0, 0), Ratio(1, 2)]
    b = [Ratio(0, 0), Ratio(2, 2)]
    found = paired_difference(a, b, [0, 1], seed=0)
    assert found is not None
    assert (found.low, found.high) == (0.5, 0.5)
    assert paired_difference(a[:1], b[:1], [0], seed=0) is None
    assert paired_difference([], [], [], seed=0) is None
