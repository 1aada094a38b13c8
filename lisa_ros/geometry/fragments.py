"""What of a mask's parts is no object of its own: specks, and strips along the edge of another.

A mask made of logits runs over the edge of its object by some pixels, all around or on one side,
and leaves specks far from it. Both are cut off from the object by a jump of depth or a gap, and
neither is a second target.
"""

from __future__ import annotations

import numpy as np

from lisa_ros.geometry.connectivity import OUTSIDE, LabelArray
from lisa_ros.geometry.merging import IndexArray
from lisa_ros.types import BoolArray, Float64Array

MIN_PART_PX = 16
# Of the largest part: a copy of the object three times as far away. Blobs that a model marks beside
# the one object it was asked for are mostly smaller, and seldom on anything.
MIN_PART_SHARE = 0.1
# Beside a larger part, how thick a part must be for its own: a share of the larger one's radius.
# A mask that is too large by a fifth has a rim of 10 % of its object's radius.
MIN_THICKNESS_SHARE = 0.25


def fragments(labels: LabelArray) -> BoolArray:
    """Select the pixels bool[h,w] of the parts that are no object of their own.

    labels: intp[h,w], 0..n-1, OUTSIDE beyond the mask. A fragment is a part below MIN_PART_PX or
    below MIN_PART_SHARE of the largest part, or a strip along a larger part that is thinner than
    MIN_THICKNESS_SHARE of that part's radius. The largest part is none.
    """
    size = np.bincount(labels[labels != OUTSIDE])
    thickness = _thickness_px(labels, size)
    is_fragment = size < max(MIN_PART_PX, MIN_PART_SHARE * float(size.max()))
    one, other = _contacts(labels, len(size))
    strip = (size[one] < size[other]) & (thickness[one] < MIN_THICKNESS_SHARE * thickness[other])
    is_fragment[one[strip]] = True
    is_fragment[np.argmax(size)] = False
    selected: BoolArray = (labels != OUTSIDE) & is_fragment[labels]
    return selected


def _contacts(labels: LabelArray, count: int) -> tuple[IndexArray, IndexArray]:
    """Give the pairs of parts that touch, in both orders."""
    keys = []
    for one, other in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        touches = (one != other) & (one != OUTSIDE) & (other != OUTSIDE)
        keys += [one[touches] * count + other[touches], other[touches] * count + one[touches]]
    pair = np.unique(np.concatenate(keys))
    return pair // count, pair % count


def _thickness_px(labels: LabelArray, size: IndexArray) -> Float64Array:
    """Give twice the area over the outline of each part, px: a disc's radius, a strip's width."""
    padded = np.pad(labels, 1, constant_values=OUTSIDE)
    outline = (
        (padded[:-2, 1:-1] != labels)
        | (padded[2:, 1:-1] != labels)
        | (padded[1:-1, :-2] != labels)
        | (padded[1:-1, 2:] != labels)
    ) & (labels != OUTSIDE)
    thickness: Float64Array = 2.0 * size / np.bincount(labels[outline], minlength=len(size))
    return thickness
