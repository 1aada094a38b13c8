"""How sure a difference between two models is: a paired bootstrap over images."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from lisa_ros.types import Float64Array

RESAMPLES = 2000
COVERAGE = 0.95
_MOST_WEIGHTS = 2_000_000  # in memory at once


class Ratio(NamedTuple):
    """What one sample adds to a ratio of sums: gIoU is (IoU, 1), cIoU (intersection, union)."""

    numerator: float
    denominator: float


class Difference(NamedTuple):
    """a, b: the two ratios. difference: b − a. low, high: its 95 % percentile interval."""

    a: float
    b: float
    difference: float
    low: float
    high: float


def paired_difference(
    a: Sequence[Ratio],
    b: Sequence[Ratio],
    clusters: Sequence[Hashable],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Difference | None:
    """Compare two ratios of sums over the same samples; None where one has no denominator.

    clusters: of each sample, what is drawn together: its image, as the sentences about one image
    are no independent samples. Both models keep the same images in each resample.
    """
    sums = _cluster_sums(a, b, clusters)
    totals = sums.sum(axis=0)
    if not (len(sums) and totals[1] and totals[3]):
        return None
    differences = _resampled_differences(sums, np.random.default_rng(seed), resamples)
    tail = 50 * (1 - COVERAGE)
    low, high = np.percentile(differences, [tail, 100 - tail])
    first, second = float(totals[0] / totals[1]), float(totals[2] / totals[3])
    return Difference(first, second, second - first, float(low), float(high))


def _cluster_sums(
    a: Sequence[Ratio], b: Sequence[Ratio], clusters: Sequence[Hashable]
) -> Float64Array:
    """f64[clusters, 4]: numerator and denominator of a, then those of b."""
    numbers: dict[Hashable, int] = {}
    place = [numbers.setdefault(cluster, len(numbers)) for cluster in clusters]
    sums = np.zeros((len(numbers), 4))
    values = np.column_stack(
        [np.array(a, np.float64).reshape(-1, 2), np.array(b, np.float64).reshape(-1, 2)]
    )
    np.add.at(sums, place, values)
    return sums


def _resampled_differences(
    sums: Float64Array, rng: np.random.Generator, resamples: int
) -> Float64Array:
    count = len(sums)
    chunk = max(1, _MOST_WEIGHTS // count)
    parts = []
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        weights = rng.multinomial(count, np.full(count, 1 / count), size=size)
        parts.append(weights @ sums)
    totals = np.concatenate(parts)
    # A resample of nothing but empty masks has no cIoU.
    usable = (totals[:, 1] > 0) & (totals[:, 3] > 0)
    kept = totals[usable]
    differences: Float64Array = kept[:, 2] / kept[:, 3] - kept[:, 0] / kept[:, 1]
    return differences
