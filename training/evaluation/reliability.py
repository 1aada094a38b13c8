"""Whether seg_probability means what it says: at 0.8, 80 % should be about what is there.

Needs questions about what is there and about what is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 10


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
