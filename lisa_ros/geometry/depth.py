"""Depth images to metres, and how noisy a depth is.

Depth is z-depth everywhere in this package (distance along the optical axis, not range along the
ray), float32 metres, NaN where nothing was measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DepthError
from lisa_ros.types import Float32Array, Float64Array

MILLIMETRE = 0.001


def depth_to_metres(
    depth: npt.NDArray[Any], *, unit_m: float | None = None, max_depth_m: float | None = None
) -> Float32Array:
    """Convert a depth image as it comes from a driver or a file to f32[H,W] metres with NaN holes.

    depth: u16[H,W] or f32/f64[H,W], either byte order, z-depth. REP 118 fixes the units: 16-bit
    images are millimetres with 0 for "no measurement", float images are metres. unit_m: metres in
    one step of the image where it differs from REP 118 (TUM files: 1/5000). max_depth_m:
    measurements beyond are holes. Zero, negative, infinite and NaN values become NaN. Always a new
    array.

    Raises DepthError for any other dtype or number of axes, or a unit that is not a positive
    number.
    """
    if depth.ndim != 2:
        raise DepthError(
            f"got a depth image of shape {depth.shape}, expected [H, W]; pass one channel without "
            "a batch axis"
        )
    if depth.dtype.kind == "u" and depth.dtype.itemsize == 2:
        scale = MILLIMETRE if unit_m is None else unit_m
    elif depth.dtype.kind == "f" and depth.dtype.itemsize in (4, 8):
        scale = 1.0 if unit_m is None else unit_m
    else:
        raise DepthError(
            f"got depth of dtype {depth.dtype}, expected uint16 (millimetres) or float32 "
            "(metres), the two encodings of REP 118; convert the image, or publish it as 16UC1 "
            "or 32FC1"
        )
    if not (np.isfinite(scale) and scale > 0):
        raise DepthError(f"got unit_m={unit_m}, expected metres per step of the image, above 0")
    limit = np.inf if max_depth_m is None else max_depth_m
    # A signalling NaN or a number beyond float32 from a driver is only a hole.
    with np.errstate(invalid="ignore", over="ignore"):
        # float64 for the product, so that 1234 mm is the float32 nearest to 1.234 m
        metres = (depth.astype(np.float64) * scale).astype(np.float32)
        metres[~((metres > 0) & (metres <= limit) & np.isfinite(metres))] = np.nan
    return metres


def depth_noise_m(depth_m: Float32Array | Float64Array | float) -> Float64Array:
    """Give the standard deviation of a depth measurement, metres, same shape as depth_m.

    1.2 mm + 1.9 mm · (z/1 m − 0.4)²: the axial noise of Nguyen, Izadi and Lovell, "Modeling Kinect
    sensor noise for improved 3D reconstruction and tracking" (3DIMPVT 2012), for surfaces not seen
    at a grazing angle.
    """
    z = np.asarray(depth_m, dtype=np.float64)
    noise: Float64Array = 0.0012 + 0.0019 * (z - 0.4) ** 2
    return noise
