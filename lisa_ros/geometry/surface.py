"""What a set of visible points says about the surface they lie on: trend, normal, extent, box.

Points are f64[N,3] in metres in the camera optical frame; rays are f64[N,2] = (x/z, y/z).
"""

from __future__ import annotations

import numpy as np

from lisa_ros.geometry.depth import depth_noise_m
from lisa_ros.types import Float64Array, OrientedBox

# One percent at each end: flying pixels never reach the size, and an evenly sampled edge loses 2 %.
EXTENT_PERCENTILES = (1.0, 99.0)
_HUBER_K = 1.345  # 95 % efficiency on Gaussian residuals (Huber 1981)
_FIT_ROUNDS = 3


def fit_plane(rays: Float64Array, z: Float64Array) -> Float64Array:
    """Fit the plane 1/z = a·(x/z) + b·(y/z) + c to pixels; returns f64[3] = (a, b, c) in 1/m.

    A plane is exactly linear in inverse depth, and there only the response is noisy, so that a
    thin or distant object cannot tilt the fit by its depth noise as it tilts a principal axis.
    Huber weights against what is left of the background. A weak prior (surface slope 0 ± 1)
    decides directions that the pixels do not: a line of pixels faces the camera.
    """
    z_middle = float(np.median(z))
    inverse = 1.0 / z
    design = np.column_stack([rays - np.median(rays, axis=0), np.ones(len(z))])
    noise = float(depth_noise_m(z_middle)) / z_middle**2
    # A slope dz/dx of s is a slope −s/z of inverse depth over x/z.
    prior = np.diag([z_middle**2, z_middle**2, 0.0])
    weights = np.ones(len(z))
    for _ in range(_FIT_ROUNDS):
        weighted = design * (weights / noise**2)[:, None]
        a, b, c = np.linalg.solve(weighted.T @ design + prior, weighted.T @ inverse)
        residual = np.abs(inverse - design @ np.array([a, b, c]))
        scale = max(1.4826 * float(np.median(residual)), noise)
        weights = np.minimum(1.0, _HUBER_K * scale / np.maximum(residual, 1e-12))
    centre = np.median(rays, axis=0)
    return np.array([a, b, c - a * centre[0] - b * centre[1]])


def plane_normal(plane: Float64Array) -> Float64Array:
    """Give the unit normal f64[3] of a plane of `fit_plane`, on the side of the camera.

    On the plane a·x + b·y + c·z = 1, so −(a, b, c) points to the half-space that holds the origin.
    """
    normal: Float64Array = -plane / np.linalg.norm(plane)
    return normal


def extent_along(points: Float64Array, axes: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Give the robust middle and size, both f64[3] m, of points along columns of axes f64[3,3]."""
    low, high = np.percentile(points @ axes, EXTENT_PERCENTILES, axis=0)
    return (low + high) / 2, high - low


def oriented_box(points: Float64Array) -> OrientedBox:
    """Fit a box to the visible points by principal axes: x longest, z thinnest, right-handed.

    The signs are fixed, so that equal clouds give equal boxes: z looks to the camera's side, the
    largest component of x is positive.
    """
    centred = points - points.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    x, z = vectors[:, 2], vectors[:, 0]
    if z[2] > 0:
        z = -z
    if x[np.argmax(np.abs(x))] < 0:
        x = -x
    rotation = np.column_stack([x, np.cross(z, x), z])
    middle, size = extent_along(points, rotation)
    return OrientedBox(center=rotation @ middle, rotation=rotation, size=size)


def position_covariance(points: Float64Array, position: Float64Array) -> Float64Array:
    """Give the covariance f64[3,3] m² of the per-axis median of the points.

    Two parts. The sensor's depth noise at that distance, along the ray and not averaged down:
    stereo and structured-light errors are shared by an object's neighbouring pixels, and
    calibration is of the same order. And the spread of the points over n_eff, since the mask's
    outline is uncertain and outline errors come in runs: √N independent pieces for N pixels; π/2
    is what a median costs over a mean. It says how far the median may be off, not whether the mask
    is on the right object.
    """
    ray = position / position[2]
    noise = float(depth_noise_m(float(position[2])))
    centred = points - points.mean(axis=0)
    spread = centred.T @ centred / len(points)
    covariance: Float64Array = noise**2 * np.outer(ray, ray) + np.pi / 2 * spread / np.sqrt(
        len(points)
    )
    return covariance
