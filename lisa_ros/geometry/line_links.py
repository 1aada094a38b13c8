"""What lies between the measured pixels of a mask that follow each other in a row or a column.

The step between their depths is one that a surface makes (`gap_m`, which also tells layers apart in
lifting), or it is a jump. And what is between them may be what hides the rest of an object, or show
the background, where the object would have to be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lisa_ros.geometry.depth_layers import gap_m
from lisa_ros.geometry.merging import IndexArray
from lisa_ros.types import BoolArray, Float64Array

# Over pixels that show no depth of it, a surface is followed up to 45 degrees.
_BRIDGE_SLOPE = 1.0


@dataclass(frozen=True)
class Links:
    """Pairs of measured pixels that follow each other in a line, whatever is between them.

    first, second: intp[N-1], flat indices. distance_m: from the one to the other. jumps: no surface
    holds both, though there is nothing but the mask between them. joined: one surface holds both.
    open: nothing between them shows that what they lie on are two objects. shape: of the image.
    """

    first: IndexArray
    second: IndexArray
    distance_m: Float64Array
    jumps: BoolArray
    joined: BoolArray
    open: BoolArray
    shape: tuple[int, ...]

    def transposed(self) -> Links:
        """Give the same links the indices that they have in the transposed image."""
        width, height = self.shape
        first, second = ((at % height) * width + at // height for at in (self.first, self.second))
        return replace(self, first=first, second=second, shape=(height, width))


@dataclass(frozen=True)
class Lines:
    """An image whose rows are looked along.

    mask: bool[h,w]. z: f64[h,w]. gap: f64[h,w], the step that is a jump. in_mask: f64[h,w], depths
    of the mask less such a step, and beside: depths beside it and such a step; -inf elsewhere, and
    where nothing was measured. pixel: its size at 1 m.
    """

    mask: BoolArray
    z: Float64Array
    gap: Float64Array
    in_mask: Float64Array
    beside: Float64Array
    pixel: float

    @classmethod
    def along_rows(cls, mask: BoolArray, z: Float64Array, focal_px: float) -> Lines:
        """Look along the rows of an image; z: f64[h,w] metres, NaN where nothing was measured."""
        gap, measured = gap_m(z, focal_px), np.isfinite(z)
        in_mask = np.where(mask & measured, z - gap, -np.inf)
        beside = np.where(~mask & measured, z + gap, -np.inf)
        return cls(mask, z, gap, in_mask, beside, 1 / focal_px)

    def links(self, nodes: BoolArray) -> Links:
        """Look at each node bool[h,w] and the one that follows it."""
        at = np.flatnonzero(nodes)
        first, second = at[:-1], at[1:]
        span = second - first
        same_row = first // nodes.shape[1] == second // nodes.shape[1]
        z, gap = self.z.ravel()[at], self.gap.ravel()[at]
        step, nearer = np.abs(z[1:] - z[:-1]), np.minimum(z[1:], z[:-1])
        aside = span * self.pixel * nearer
        smooth = step <= np.maximum(np.minimum(gap[1:], gap[:-1]), _BRIDGE_SLOPE * aside)
        inside, is_open = same_row.copy(), same_row.copy()
        between = np.flatnonzero(same_row & (span > 1))
        if len(between):
            inside[between], is_open[between] = self._between(
                first[between], second[between], nearer[between], nearer[between] + step[between]
            )
        return Links(
            first,
            second,
            np.hypot(aside, step),
            jumps=inside & ~smooth,
            joined=inside & is_open & smooth,
            open=is_open,
            shape=nodes.shape,
        )

    def _between(
        self, first: IndexArray, second: IndexArray, nearer: Float64Array, farther: Float64Array
    ) -> tuple[BoolArray, BoolArray]:
        """Whether nothing but the mask is between two pixels, and whether the way is open.

        It is closed by a pixel of the mask that is farther than both, and by one beside the mask
        that is not nearer than both, so that it cannot hide what connects them. Without depth a
        pixel may be background as well as a shadow of what is in front, which many cameras do not
        measure: it closes nothing, but a way beside the mask with no measured pixel is closed.
        """
        bounds = np.column_stack([first + 1, second]).ravel()
        all_mask = np.logical_and.reduceat(self.mask.ravel(), bounds)[::2]
        in_mask = np.maximum.reduceat(self.in_mask.ravel(), bounds)[::2]
        beside = np.maximum.reduceat(self.beside.ravel(), bounds)[::2]
        is_open = (in_mask <= farther) & (beside <= nearer) & (all_mask | np.isfinite(beside))
        return all_mask, is_open
