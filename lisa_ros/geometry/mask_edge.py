"""Where a mask runs over the edge of its object: the ring of background that depth gives away.

The global test of `depth_layers` finds background far from the object. What lies closer behind it
than the object is deep is found here, by looking at both sides of the outline: a pixel near the
outline that continues the surface outside, is far from the surface inside, and is cut off from it
by a jump, is background. An object's own limb is never closer to the outside than to the inside, a
mask that is too small sees its own object on both sides, and where object and table meet without a
jump nothing is dropped.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lisa_ros.types import BoolArray, Float64Array

# A ring of background that is a share s of the mask is about s/2 of the mask's radius wide.
_BAND_SHARE = 0.15
_BAND_MIN_PX, _BAND_MAX_PX = 2, 12
# How much closer to the outside than to the inside, and how much of the way in a single step.
_CLOSER = 3.0
_JUMP_SHARE = 0.5
# Less than this is no overrun but a few pixels of the object's own grazing side against a table; an
# exact mask stays exact, and a median does not move for it.
_MIN_SHARE = 0.02

_IndexArray = npt.NDArray[np.intp]


def overrun(
    mask: BoolArray, height: Float64Array, noise: Float64Array, slope_px: float
) -> BoolArray:
    """Select the pixels bool[h,w] of mask bool[h,w] that belong to what surrounds its object.

    height: f64[h,w], how far each pixel is off the object's plane in any linear unit (inverse
    depth, say), NaN where nothing was measured, inside and outside of the mask. noise: f64[h,w],
    the least difference that means something. slope_px: what a surface may climb from pixel to
    pixel without being an edge. The mask must not touch the border of its array.
    """
    shape = mask.shape
    layers, last = _layers(mask)
    band = [np.flatnonzero(layers == k) for k in range(1, last + 1)]
    flat_layers, flat_height = layers.ravel(), height.ravel()
    around = _neighbour_offsets(shape[1])
    inside, jump = _carry_outwards(flat_height, flat_layers, band, around)
    outside = np.where(mask, np.nan, height).ravel()
    dropped = np.zeros(mask.size, np.bool_)
    for k, pixels in enumerate(band, start=1):
        own = flat_height[pixels]
        open_side = _mean(outside[pixels[:, None] + around])
        rise = np.abs(own - inside[pixels])
        with np.errstate(invalid="ignore"):
            drop = (
                (rise > noise.ravel()[pixels] + slope_px * (last + 1 - k))
                & (rise > _CLOSER * np.abs(own - open_side))
                & (jump[pixels] >= _JUMP_SHARE * rise)
            )
        dropped[pixels[drop]] = True
        outside[pixels[drop]] = (own[drop] + open_side[drop]) / 2
        hole = np.isnan(own)
        outside[pixels[hole]] = open_side[hole]
    if np.count_nonzero(dropped) < _MIN_SHARE * np.count_nonzero(mask):
        dropped[:] = False
    return dropped.reshape(shape)


def _layers(mask: BoolArray) -> tuple[npt.NDArray[np.uint8], int]:
    """Count the pixels' distance from the outline: 1 on it, last + 1 in the core; and last."""
    inner = _eroded(mask)
    outline_px = int(np.count_nonzero(mask)) - int(np.count_nonzero(inner))
    radius = 2.0 * np.count_nonzero(mask) / max(outline_px, 1)
    last = int(np.clip(np.ceil(_BAND_SHARE * radius), _BAND_MIN_PX, _BAND_MAX_PX))
    layers = mask.astype(np.uint8) + inner
    for _ in range(last - 1):
        inner = _eroded(inner)
        layers += inner
    return layers, last


def _eroded(mask: BoolArray) -> BoolArray:
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    return inner


def _neighbour_offsets(width: int) -> _IndexArray:
    rows, columns = np.indices((3, 3)) - 1
    return np.delete((rows * width + columns).ravel(), 4)


def _carry_outwards(
    height: Float64Array,
    layers: npt.NDArray[np.uint8],
    band: list[_IndexArray],
    around: _IndexArray,
) -> tuple[Float64Array, Float64Array]:
    """Carry the core's height out to the outline, and the highest step met on the way."""
    inside, jump = height.copy(), np.zeros_like(height)
    for k in range(len(band), 0, -1):
        pixels = band[k - 1]
        near = pixels[:, None] + around
        inner = layers[near] > k
        carried = _mean(np.where(inner, inside[near], np.nan))
        step = np.abs(height[pixels] - _mean(np.where(inner, height[near], np.nan)))
        jump[pixels] = np.fmax(step, np.where(inner, jump[near], 0.0).max(axis=1))
        # The crest of a part thinner than the band has nothing further inside: it stands for
        # itself.
        inside[pixels] = np.where(np.isnan(carried), height[pixels], carried)
    return inside, jump


def _mean(values: Float64Array) -> Float64Array:
    """Average the numbers in each row of f64[N,8]; NaN where there are none."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    with np.errstate(invalid="ignore"):
        mean: Float64Array = np.where(known, values, 0.0).sum(axis=1) / np.where(
            count, count, np.nan
        )
    return mean
