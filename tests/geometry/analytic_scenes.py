"""Depth images computed pixel by pixel from formulas: rectangle, box or sphere before a background.

A ray of a pixel is t·(x/z, y/z, 1), so that the t of its first hit is the z-depth. All in metres,
in the camera optical frame.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from lisa_ros.geometry import ray_grid
from lisa_ros.types import BoolArray, Float32Array, Float64Array, Intrinsics

VGA = Intrinsics(fx=525.0, fy=525.0, cx=319.5, cy=239.5, width=640, height=480)
SMALL = Intrinsics(fx=240.0, fy=240.0, cx=127.5, cy=127.5, width=256, height=256)


@dataclass(frozen=True)
class Scene:
    """mask: bool[H,W], the object's visible pixels. depth_m: f32[H,W], exact and without holes."""

    mask: BoolArray
    depth_m: Float32Array
    intrinsics: Intrinsics

    def exact_position(self) -> Float64Array:
        """The statistic by its definition: per-axis median of all visible points of the object."""
        z = self.depth_m[self.mask].astype(np.float64)
        points = np.column_stack([ray_grid(self.intrinsics)[self.mask] * z[:, None], z])
        return np.median(points, axis=0)


@functools.cache
def directions(intrinsics: Intrinsics) -> Float64Array:
    rays = ray_grid(intrinsics)
    return np.concatenate([rays, np.ones((*rays.shape[:2], 1))], axis=-1)


def rotation(yaw: float, pitch: float, roll: float) -> Float64Array:
    """Rotation about y, then x, then z of the camera (radians), as a matrix f64[3,3]."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def plane_depth(intrinsics: Intrinsics, point: Float64Array, normal: Float64Array) -> Float64Array:
    with np.errstate(divide="ignore"):
        t = (point @ normal) / (directions(intrinsics) @ normal)
    return np.where(t > 0, t, np.inf)


def rectangle_depth(
    intrinsics: Intrinsics, center: Float64Array, axes: Float64Array, size: tuple[float, float]
) -> Float64Array:
    """Rectangle of size (along axes[:, 0], along axes[:, 1]); its normal is axes[:, 2]."""
    t = plane_depth(intrinsics, center, axes[:, 2])
    finite = np.where(np.isfinite(t), t, 0.0)
    local = (directions(intrinsics) * finite[..., None] - center) @ axes
    inside = (np.abs(local[..., 0]) <= size[0] / 2) & (np.abs(local[..., 1]) <= size[1] / 2)
    return np.where(inside & np.isfinite(t), t, np.inf)


def box_depth(
    intrinsics: Intrinsics, center: Float64Array, axes: Float64Array, size: tuple[float, ...]
) -> Float64Array:
    origin = -center @ axes
    direction = directions(intrinsics) @ axes
    half = np.asarray(size) / 2
    direction = np.where(direction == 0.0, 1e-300, direction)
    first, second = (-half - origin) / direction, (half - origin) / direction
    enter = np.minimum(first, second).max(axis=-1)
    leave = np.maximum(first, second).min(axis=-1)
    return np.where((enter <= leave) & (enter > 0), enter, np.inf)


def sphere_depth(intrinsics: Intrinsics, center: Float64Array, radius: float) -> Float64Array:
    d = directions(intrinsics)
    dd = np.sum(d * d, axis=-1)
    dc = d @ center
    under_root = dc**2 - dd * (center @ center - radius**2)
    t = (dc - np.sqrt(np.maximum(under_root, 0.0))) / dd
    return np.where(under_root >= 0, t, np.inf)


def compose(intrinsics: Intrinsics, target: Float64Array, *others: Float64Array) -> Scene:
    """The nearest surface wins; the mask is where that is the target."""
    background = np.minimum.reduce(others)
    mask = target < background
    depth = np.minimum(target, background)
    return Scene(mask, np.where(np.isfinite(depth), depth, np.nan).astype(np.float32), intrinsics)


def dilate(mask: BoolArray, square: bool = False) -> BoolArray:
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    rows = grown.copy() if square else mask
    grown[:, 1:] |= rows[:, :-1]
    grown[:, :-1] |= rows[:, 1:]
    return grown


def bleed(mask: BoolArray, background_share: float, rng: np.random.Generator) -> BoolArray:
    """Dilate until background_share of the result is background; the last ring is a random part."""
    grown = mask
    wanted = int(np.ceil(mask.sum() * background_share / (1 - background_share)))
    while (grown & ~mask).sum() < wanted:
        ring = dilate(grown) & ~grown
        missing = wanted - int((grown & ~mask).sum())
        if missing < ring.sum():
            index = rng.choice(np.flatnonzero(ring), missing, replace=False)
            ring = np.zeros_like(ring)
            ring.flat[index] = True
        grown = grown | ring
    return grown


def holes(depth_m: Float32Array, share: float, rng: np.random.Generator) -> Float32Array:
    depth_m = depth_m.copy()
    depth_m[rng.random(depth_m.shape) < share] = np.nan
    return depth_m


def noisy(depth_m: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Gaussian noise of 1.2 mm + 1.9 mm·(z/1 m − 0.4)², written out as the issue states it."""
    sigma = 0.0012 + 0.0019 * (depth_m.astype(np.float64) - 0.4) ** 2
    return (depth_m + sigma * rng.standard_normal(depth_m.shape)).astype(np.float32)
