"""What a real RGB-D sensor would have measured: noise on top of the truth. Off unless asked for.

The depth model follows what is common to stereo and structured-light sensors: a matcher finds
disparities in sub-pixel steps with errors that grow at steep surfaces and fail at depth edges, so
the error of z grows with z².
"""

from __future__ import annotations

import numpy as np

from lisa_ros.errors import DepthError
from lisa_ros.types import BoolArray, Float32Array, Intrinsics, UInt8Array

# A stereo baseline like that of short-range RGB-D cameras, and a matcher with 1/16 px steps.
_BASELINE_M = 0.055
_DISPARITY_SIGMA_PX = 0.035
_DISPARITY_STEP_PX = 1.0 / 16.0
# The sensor matches on an imager of this width whatever the size of the colour image.
_MATCHING_WIDTH_PX = 848
_EDGE_HOLE_SHARE = 0.75
_SPECK_SHARE = 0.004
_MIN_DEPTH_M, _MAX_DEPTH_M = 0.25, 8.0


def sense_depth(
    depth_m: Float32Array, intrinsics: Intrinsics, rng: np.random.Generator
) -> Float32Array:
    """f32[H,W] in metres as a stereo depth camera would report it; NaN where it has no measurement.

    depth_m: f32[H,W] true z-depth. Adds disparity noise (correlated over neighbouring pixels),
    quantisation of disparity and to whole millimetres, holes along depth edges and rare specks, and
    limits the range. Raises DepthError when the shapes disagree.
    """
    if depth_m.shape != (intrinsics.height, intrinsics.width):
        raise DepthError(
            f"Depth has shape {depth_m.shape}, the camera {(intrinsics.height, intrinsics.width)}."
        )
    focal = intrinsics.fx * _MATCHING_WIDTH_PX / intrinsics.width
    disparity = focal * _BASELINE_M / np.maximum(depth_m.astype(np.float64), 1e-6)
    noise = rng.standard_normal(depth_m.shape)
    # Matching windows overlap, so neighbours share part of their error.
    noise = (noise + _blurred(noise) * 2.0) / np.sqrt(1.0 + 4.0 / 9.0 + 4.0 / 9.0)
    disparity += _DISPARITY_SIGMA_PX * noise
    disparity = np.round(disparity / _DISPARITY_STEP_PX) * _DISPARITY_STEP_PX
    sensed = focal * _BASELINE_M / np.maximum(disparity, 1e-3)
    sensed = np.round(sensed, 3)
    lost = _edges(depth_m) & (rng.random(depth_m.shape) < _EDGE_HOLE_SHARE)
    lost |= rng.random(depth_m.shape) < _SPECK_SHARE
    lost |= ~np.isfinite(depth_m) | (sensed < _MIN_DEPTH_M) | (sensed > _MAX_DEPTH_M)
    sensed[lost] = np.nan
    return sensed.astype(np.float32)


def sense_image(image: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """u8[H,W,3]: a mild camera: a little gain, colour cast and pixel noise."""
    gain = rng.uniform(0.94, 1.06) * rng.uniform(0.98, 1.02, 3)
    noisy = image * gain + rng.normal(0.0, 2.5, image.shape)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def _edges(depth_m: Float32Array) -> BoolArray:
    """bool[H,W]: pixels beside a jump in depth of more than 3 %."""
    edges = np.zeros(depth_m.shape, bool)
    for here, there in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        first, second = depth_m[here], depth_m[there]
        jump = np.abs(first - second) > 0.03 * np.minimum(first, second)
        edges[here] |= jump
        edges[there] |= jump
    return edges


def _blurred(values: np.ndarray) -> np.ndarray:
    """The mean over 3x3 neighbours, with wrapped borders."""
    rows = values + np.roll(values, 1, 0) + np.roll(values, -1, 0)
    return np.asarray((rows + np.roll(rows, 1, 1) + np.roll(rows, -1, 1)) / 9.0)
