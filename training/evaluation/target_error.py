"""How far a robot's hand would be off: the distance between two lifted masks."""

from __future__ import annotations

import numpy as np

from lisa_ros.geometry.lifting import lift_mask
from lisa_ros.types import BoolArray, Target3D
from training.evaluation.asked import Depth


def target_error_m(predicted: BoolArray, truth: BoolArray, depth: Depth) -> float | None:
    """Metres between a predicted mask's target on measured depth and the true one on true depth.

    Infinite where the predicted mask has no target, None where the true one has none.
    """
    if depth.on_grid is not None:
        truth, predicted = depth.on_grid(truth), depth.on_grid(predicted)
    true = lift_mask(truth, depth.true_m, depth.intrinsics, rays=depth.rays)
    if not isinstance(true, Target3D):
        return None
    found = lift_mask(predicted, depth.measured_m, depth.intrinsics, rays=depth.rays)
    if not isinstance(found, Target3D):
        return float("inf")
    return float(np.linalg.norm(found.position - true.position))
