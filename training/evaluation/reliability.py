"""Whether seg_probability means what it says: at 0.8, 80 % should be about what is there.

Needs questions about what is there and about what is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 10
# Points that rest on fewer answers are joined with their neighbours.
MIN_ANSWERS = 20


@dataclass(frozen=True)
class Bin:
    """Answers whose seg_probability is in [low, high); the last bin holds 1 too.

    confidence: their mean seg_probability. present: the share whose target is there.
    """

    low: float
    high: float
    count: int
    confidence: float
    present: float


@dataclass(frozen=True)
class Reliability:
    """The curve, bins without answers left out, and the expected calibration error, 0..1.

    ece: mean over the answers of |confidence − present| of their bin (Guo et al., "On Calibration
    of Modern Neural Networks", ICML 2017).
    """

    bins: tuple[Bin, ...]
    ece: float


def precision_points(
    probabilities: Sequence[float], right: Sequence[bool]
) -> tuple[tuple[float, float], ...]:
    """Points (seg_probability, share of right answers), as `lisa.json` stores them.

    Neighbours whose share falls as seg_probability rises are pooled until none does (isotonic
    regression by pooling adjacent violators; Zadrozny and Elkan, KDD 2002). Empty where all answers
    are right or all are wrong: nothing can be learnt from such.
    """
    curve = reliability(probabilities, right)
    points: list[Bin] = []
    for each in () if curve is None else curve.bins:
        points.append(each)
        while len(points) > 1 and (
            points[-2].present >= points[-1].present or points[-2].count < MIN_ANSWERS
        ):
            points.append(_pooled(points.pop(), points.pop()))
    while len(points) > 1 and points[-1].count < MIN_ANSWERS:
        points.append(_pooled(points.pop(), points.pop()))
    return tuple((point.confidence, point.present) for point in points)


def reliability(probabilities: Sequence[float], present: Sequence[bool]) -> Reliability | None:
    """The curve of answers with these probabilities; None unless both kinds are among them."""
    if all(present) or not any(present):
        return None
    confidence, there = np.array(probabilities), np.array(present, np.float64)
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = tuple(
        Bin(
            low=number / BINS,
            high=(number + 1) / BINS,
            count=int(np.count_nonzero(place == number)),
            confidence=float(confidence[place == number].mean()),
            present=float(there[place == number].mean()),
        )
        for number in range(BINS)
        if np.any(place == number)
    )
    error = sum(b.count * abs(b.confidence - b.present) for b in bins) / len(confidence)
    return Reliability(bins, float(error))


def _pooled(upper: Bin, lower: Bin) -> Bin:
    count = lower.count + upper.count

    def mean(low: float, high: float) -> float:
        return (low * lower.count + high * upper.count) / count

    return Bin(
        low=lower.low,
        high=upper.high,
        count=count,
        confidence=mean(lower.confidence, upper.confidence),
        present=mean(lower.present, upper.present),
    )
