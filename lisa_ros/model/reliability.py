"""How often a checkpoint is right when it says so: expected precision by seg_probability.

A probability that a network gives out is not a frequency (Guo et al., "On Calibration of Modern
Neural Networks", ICML 2017). This is: it was counted, on questions with known answers.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from lisa_ros.errors import ConfigurationError

# (seg_probability, share of such answers that are right), by rising seg_probability; neither falls.
Reliability = tuple[tuple[float, float], ...]


def check_reliability(points: object) -> Reliability:
    """Return the points, as JSON has them or not, as a value; () for a model that nobody measured.

    Raises ConfigurationError unless they are pairs in 0..1, seg_probability rising and the share
    not falling.
    """
    if not isinstance(points, list | tuple) or not all(map(_is_point, points)):
        raise ConfigurationError(
            f"reliability is {points!r}; expected a list of pairs [seg_probability, share of "
            "answers that are right], all numbers in 0..1."
        )
    checked = tuple((float(probability), float(share)) for probability, share in points)
    for here, there in pairwise(checked):
        if not (here[0] < there[0] and here[1] <= there[1]):
            raise ConfigurationError(
                f"reliability has {list(there)} after {list(here)}; expected a rising "
                "seg_probability and a share that does not fall. Run training.calibrate again."
            )
    return checked


def confidence_at(points: Reliability, seg_probability: float) -> float | None:
    """Return the expected share of right answers at a seg_probability; None without any point.

    Between two points it is interpolated, beyond the ends it stays as it is there.
    """
    if not points:
        return None
    probabilities, shares = zip(*points, strict=True)
    return float(np.interp(seg_probability, probabilities, shares))


def _is_point(point: object) -> bool:
    return (
        isinstance(point, list | tuple)
        and len(point) == 2
        and all(isinstance(n, int | float) and not isinstance(n, bool) for n in point)
        and all(math.isfinite(n) and 0 <= n <= 1 for n in point)
    )
