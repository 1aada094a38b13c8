"""gIoU and cIoU as LISA's evaluation defines them (paper section 4.1), over binary masks.

gIoU is the mean of the per-mask IoU, where an empty prediction for an empty target counts 1; cIoU is the
sum of all intersections over the sum of all unions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lisa_ros.types import BoolArray


@dataclass
class IouMeter:
    """Collects pairs of masks; `giou` and `ciou` are NaN before the first."""

    intersections: list[int] = field(default_factory=list)
    unions: list[int] = field(default_factory=list)

    def add(self, predicted: BoolArray, target: BoolArray) -> float:
        """Add one pair, both bool[H,W]; returns its IoU."""
        intersection = int(np.count_nonzero(predicted & target))
        union = int(np.count_nonzero(predicted | target))
        self.intersections.append(intersection)
        self.unions.append(union)
        return mask_iou(intersection, union)

    @property
    def giou(self) -> float:
        """Mean IoU over the pairs, 0..1."""
        pairs = zip(self.intersections, self.unions, strict=True)
        return float(np.mean([mask_iou(i, u) for i, u in pairs])) if self.unions else float("nan")

    @property
    def ciou(self) -> float:
        """Cumulative IoU over the pairs, 0..1."""
        total = sum(self.unions)
        return sum(self.intersections) / total if total else float("nan")


def mask_iou(intersection: int, union: int) -> float:
    """IoU of one pair from its pixel counts; 1 when both masks are empty."""
    return intersection / union if union else 1.0
