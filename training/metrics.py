"""gIoU and cIoU as LISA's evaluation defines them (paper section 4.1), from pixel counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lisa_ros.types import BoolArray, UInt8Array

Counts = Sequence[tuple[int, int]]  # (intersection, union) of each pair of masks

TARGET, IGNORED = 1, 255
# Upstream adds them to its denominators.
_UNION_EPS, _TOTAL_EPS, _COUNT_EPS = 1e-5, 1e-10, 1e-5


def pixel_counts(predicted: BoolArray, truth: UInt8Array) -> tuple[int, int]:
    """(intersection, union) of a predicted mask bool[H,W] and the true one u8[H,W].

    1 is the target, 255 is left out whatever was predicted there, all else is background (also the
    2 of upstream's overlapping polygons, as in its own evaluation).
    """
    target = truth == TARGET
    intersection = int(np.count_nonzero(predicted & target))
    union = int(np.count_nonzero((predicted & (truth != IGNORED)) | target))
    return intersection, union


def mask_iou(intersection: int, union: int) -> float:
    """IoU of one pair; 1 when both masks are empty: nothing was asked for, and nothing marked."""
    return intersection / union if union else 1.0


def giou(counts: Counts, *, upstream_compat: bool = False) -> float | None:
    """Mean IoU over the pairs, 0..1; None without any.

    A pair is one sentence about one image, however many sentences the image has: upstream weighs
    the mean of an image with their number. upstream_compat: its epsilons, which lower the mean by
    1e-5 of a pair in all and an IoU by 1e-5 of a pixel.
    """
    if not counts:
        return None
    if not upstream_compat:
        return sum(mask_iou(i, u) for i, u in counts) / len(counts)
    total = sum(i / (u + _UNION_EPS) + (u == 0) for i, u in counts)
    return total / (len(counts) + _COUNT_EPS)


def ciou(counts: Counts, *, upstream_compat: bool = False) -> float | None:
    """Sum of the intersections over the sum of the unions, 0..1; None without any union.

    upstream_compat: its epsilon; without any union it says 0.
    """
    intersection, union = sum(i for i, _ in counts), sum(u for _, u in counts)
    if upstream_compat:
        return intersection / (union + _TOTAL_EPS)
    return intersection / union if union else None
