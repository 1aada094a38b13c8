"""gIoU and cIoU as LISA's evaluation defines them (paper section 4.1), from pixel counts."""

from __future__ import annotations

from collections.abc import Sequence

Counts = Sequence[tuple[int, int]]  # (intersection, union) of each pair of masks


def mask_iou(intersection: int, union: int) -> float:
    """IoU of one pair; 1 when both masks are empty."""
    return intersection / union if union else 1.0


def giou(counts: Counts) -> float | None:
    """Mean IoU over the pairs, 0..1; None without any."""
    return sum(mask_iou(i, u) for i, u in counts) / len(counts) if counts else None


def ciou(counts: Counts) -> float | None:
    """Sum of the intersections over the sum of the unions, 0..1; None without any union."""
    union = sum(u for _, u in counts)
    return sum(i for i, _ in counts) / union if union else None
