"""Sparse optical flow: pyramidal Lucas-Kanade in numpy.

Lucas and Kanade (1981) over a pyramid as Bouguet (2000) describes it: a window around each point is
looked for in the next image by Gauss-Newton steps, from coarse to fine. Windows are compared
without their means, so that a camera's gain may change. All points are worked on at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lisa_ros.types import BoolArray, Float32Array, Float64Array, UInt8Array

_LEVELS = 4
_MIN_SIDE_PX = 24
_ITERATIONS = 8
_CLOSE_ENOUGH_PX = 0.03
# Of the weaker gradient direction, mean square of grey levels a pixel: less has no place.
_MIN_TEXTURE = 4.0
_MAX_RETURN_ERROR_PX = 1.0
# Of a window's energy, what may differ from what it was.
_MAX_RESIDUAL = 0.5


@dataclass(frozen=True, eq=False)
class Pyramid:
    """Grey images f32[h,w] (0..255), the full size first, each next one half as wide and high."""

    levels: tuple[Float32Array, ...]


def pyramid_of(image: UInt8Array) -> Pyramid:
    """Return the pyramid of u8[H,W,3] RGB."""
    grey: Float32Array = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    levels = [grey]
    while len(levels) < _LEVELS and min(levels[-1].shape) >= 2 * _MIN_SIDE_PX:
        fine = levels[-1]
        height, width = fine.shape[0] // 2 * 2, fine.shape[1] // 2 * 2
        quads = fine[:height, :width].reshape(height // 2, 2, width // 2, 2)
        levels.append(quads.mean(axis=(1, 3)))
    return Pyramid(tuple(levels))


def follow_points(
    before: Pyramid, after: Pyramid, points: Float64Array, radius_px: int
) -> tuple[Float64Array, BoolArray]:
    """Find points of one image in the next.

    points: f64[N,2] = (u, v). radius_px: half the window's side. Returns where they went, f64[N,2],
    and bool[N], whether to believe it: the window has texture in both directions and looks as it
    did, the point stays inside the image, and followed back it comes out where it started.
    """
    there, alike = _flow(before, after, points, radius_px)
    back, _ = _flow(after, before, there, radius_px)
    height, width = after.levels[0].shape
    inside = ((there >= 0) & (there <= (width - 1, height - 1))).all(axis=1)
    returned = np.hypot(*(back - points).T) <= _MAX_RETURN_ERROR_PX
    return there, alike & inside & returned


def _flow(
    before: Pyramid, after: Pyramid, points: Float64Array, radius_px: int
) -> tuple[Float64Array, BoolArray]:
    steps = np.arange(-radius_px, radius_px + 1, dtype=np.float32)
    window = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    shift = np.zeros_like(points)
    alike = np.zeros(len(points), np.bool_)
    for level in reversed(range(len(before.levels))):
        # A pixel of a coarser level is the mean of four, so that its centre lies between theirs.
        scale = 2**level
        centres = (points - (scale - 1) / 2) / scale
        shift, alike = _refine(
            before.levels[level], after.levels[level], centres, window, shift / scale
        )
        shift *= scale
    return points + shift, alike


def _refine(
    before: Float32Array,
    after: Float32Array,
    centres: Float64Array,
    window: Float32Array,
    shift: Float64Array,
) -> tuple[Float64Array, BoolArray]:
    """Improve shifts f64[N,2] px on one level; bool[N]: there is texture, and it is found again."""
    places = centres[:, None] + window
    template = _without_mean(_sampled(before, places))
    gradient = np.stack(
        [
            (_sampled(before, places + step) - _sampled(before, places - step)) / 2
            for step in (np.array([1.0, 0.0]), np.array([0.0, 1.0]))
        ],
        axis=-1,
    )
    gradient -= gradient.mean(axis=1, keepdims=True)
    structure = np.einsum("nki,nkj->nij", gradient, gradient, dtype=np.float64)
    textured = np.linalg.eigvalsh(structure)[:, 0] > _MIN_TEXTURE * len(window)
    # A plain window's matrix cannot be inverted; what it gives is not believed anyway.
    inverse = np.linalg.inv(structure + 1e-3 * len(window) * np.eye(2))
    shift = shift.copy()
    error = template - _without_mean(_sampled(after, places + shift[:, None]))
    for _ in range(_ITERATIONS):
        step = np.einsum("nij,nkj,nk->ni", inverse, gradient, error, optimize=True)
        shift += step
        error = template - _without_mean(_sampled(after, places + shift[:, None]))
        if np.abs(step).max(initial=0.0) < _CLOSE_ENOUGH_PX:
            break
    return shift, textured & ((error**2).sum(axis=1) < _MAX_RESIDUAL * (template**2).sum(axis=1))


def _sampled(image: Float32Array, places: Float64Array) -> Float32Array:
    """Return the image at places f64[...,2] = (u, v), bilinear; beyond the border, the border."""
    height, width = image.shape
    u = np.clip(np.nan_to_num(places[..., 0]), 0, width - 1.001)
    v = np.clip(np.nan_to_num(places[..., 1]), 0, height - 1.001)
    left, top = u.astype(np.intp), v.astype(np.intp)
    right_share = (u - left).astype(np.float32)
    low_share = (v - top).astype(np.float32)
    corner = top * width + left
    flat = image.ravel()
    upper = flat[corner] * (1 - right_share) + flat[corner + 1] * right_share
    corner += width
    lower = flat[corner] * (1 - right_share) + flat[corner + 1] * right_share
    sampled: Float32Array = upper * (1 - low_share) + lower * low_share
    return sampled


def _without_mean(windows: Float32Array) -> Float32Array:
    centred: Float32Array = windows - windows.mean(axis=1, keepdims=True)
    return centred
