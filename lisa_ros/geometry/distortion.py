"""Lens distortion: from a pixel of an unrectified image to its ray, and back.

The models are those of sensor_msgs/CameraInfo (sensor_msgs/distortion_models.hpp). plumb_bob and
rational_polynomial are Brown's model (D. C. Brown, "Close-range camera calibration", 1971) with the
coefficients in OpenCV's order k1 k2 p1 p2 [k3 [k4 k5 k6]]; equidistant is Kannala and Brandt, "A
generic camera model and calibration method for conventional, wide-angle, and fish-eye lenses"
(PAMI 2006), with four coefficients. Normalised coordinates are (x/z, y/z) without unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lisa_ros.errors import CameraInfoError
from lisa_ros.types import Float64Array

# Coefficients that each model may come with; what is left out is zero.
_COEFFICIENTS = {"plumb_bob": (4, 5), "rational_polynomial": (4, 5, 8), "equidistant": (4,)}
_NEWTON_STEPS = 30
# Newton's step from a miss like this leaves one of about its square.
_CONVERGED = 1e-7


@dataclass(frozen=True)
class LensDistortion:
    """A distortion model with its coefficients.

    model: "plumb_bob", "rational_polynomial" or "equidistant". d: the coefficients, in CameraInfo's
    order. Raises CameraInfoError for another model, a wrong number of coefficients or a NaN.
    """

    model: str
    d: tuple[float, ...]

    def __post_init__(self) -> None:
        allowed = _COEFFICIENTS.get(self.model)
        if allowed is None:
            raise CameraInfoError(
                f"got distortion model {self.model!r}, expected one of {sorted(_COEFFICIENTS)}; "
                "use the camera's rectified image, which needs no distortion model"
            )
        if len(self.d) not in allowed:
            raise CameraInfoError(
                f"got {len(self.d)} coefficients for {self.model}, expected one of {allowed}; "
                "check d in the camera's calibration"
            )
        if not np.all(np.isfinite(self.d)):
            raise CameraInfoError(
                f"got distortion coefficients {self.d}, expected finite numbers; calibrate again"
            )

    def distort(self, rays: Float64Array) -> Float64Array:
        """Map ideal rays f64[...,2] to where the lens images them, f64[...,2]."""
        if self.model == "equidistant":
            return self._distort_fisheye(np.asarray(rays, np.float64))
        rays = np.asarray(rays, np.float64)
        return np.stack(self._distort_brown(rays[..., 0], rays[..., 1])[:2], axis=-1)

    def undistort(self, distorted: Float64Array) -> Float64Array:
        """Map imaged coordinates f64[...,2] to ideal rays f64[...,2]; inverse of `distort`.

        By Newton's method. NaN where no ray is imaged there: polynomials turn round outside of the
        field of view that they were calibrated for, and a fish-eye sees rays beside the camera.
        """
        distorted = np.asarray(distorted, np.float64)
        if self.model == "equidistant":
            return self._undistort_fisheye(distorted)
        return self._undistort_brown(distorted)

    def _distort_brown(
        self, x: Float64Array, y: Float64Array
    ) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array, Float64Array]:
        """Distort rays: give x', y' and their derivatives dx'/dx, dx'/dy = dy'/dx, dy'/dy."""
        k1, k2, p1, p2, k3, k4, k5, k6 = (*self.d, *(0.0,) * (8 - len(self.d)))
        x2, y2, xy = x * x, y * y, x * y
        r2 = x2 + y2
        upper = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        lower = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
        radial = upper / lower
        # 2 · d radial / d r²
        rate = (2 / lower) * (
            (k1 + r2 * (2 * k2 + 3 * r2 * k3)) - radial * (k4 + r2 * (2 * k5 + 3 * r2 * k6))
        )
        return (
            x * radial + 2 * p1 * xy + p2 * (r2 + 2 * x2),
            y * radial + p1 * (r2 + 2 * y2) + 2 * p2 * xy,
            radial + x2 * rate + 2 * p1 * y + 6 * p2 * x,
            xy * rate + 2 * p1 * x + 2 * p2 * y,
            radial + y2 * rate + 6 * p1 * y + 2 * p2 * x,
        )

    def _undistort_brown(self, distorted: Float64Array) -> Float64Array:
        wanted = distorted.reshape(-1, 2)
        rays = np.full_like(wanted, np.nan)
        open_, x, y = np.arange(len(wanted)), wanted[:, 0], wanted[:, 1]
        with np.errstate(all="ignore"):  # where it diverges the answer is NaN
            for _ in range(_NEWTON_STEPS):
                image_x, image_y, xx, xy, yy = self._distort_brown(x, y)
                miss_x, miss_y = image_x - wanted[open_, 0], image_y - wanted[open_, 1]
                determinant = xx * yy - xy * xy
                x = x - (yy * miss_x - xy * miss_y) / determinant
                y = y - (xx * miss_y - xy * miss_x) / determinant
                miss = np.maximum(np.abs(miss_x), np.abs(miss_y))
                done = miss <= _CONVERGED
                # A negative determinant is a solution behind the turning point: no real ray is
                # imaged there.
                found = done & (determinant > 0)
                rays[open_[found]] = np.column_stack([x[found], y[found]])
                left = ~done & np.isfinite(x) & np.isfinite(y)
                open_, x, y = open_[left], x[left], y[left]
                if not len(open_):
                    break
        return rays.reshape(distorted.shape)

    def _distort_fisheye(self, rays: Float64Array) -> Float64Array:
        radius = np.linalg.norm(rays, axis=-1)
        bent, _ = self._bend(np.arctan(radius))
        return rays * _ratio(bent, radius)[..., None]

    def _undistort_fisheye(self, distorted: Float64Array) -> Float64Array:
        bent = np.linalg.norm(distorted, axis=-1)
        theta = np.minimum(bent, np.pi / 2)
        with np.errstate(all="ignore"):
            for _ in range(_NEWTON_STEPS):
                value, rate = self._bend(theta)
                theta = theta - (value - bent) / rate
                if not np.any(np.abs(value - bent) > _CONVERGED):
                    break
            value, rate = self._bend(theta)
            found = (np.abs(value - bent) <= _CONVERGED) & (rate > 0)
            found &= (theta >= 0) & (theta < np.pi / 2)
        radius = np.tan(np.where(found, theta, np.nan))
        return distorted * _ratio(radius, bent)[..., None]

    def _bend(self, theta: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Give the distorted angle of an angle to the axis (radians) and its rate of change."""
        k1, k2, k3, k4 = self.d
        t2 = theta * theta
        value = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
        rate = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
        return value, rate


def _ratio(numerator: Float64Array, denominator: Float64Array) -> Float64Array:
    """Divide two lengths that go to zero together, as on the optical axis."""
    axis = denominator < 1e-12
    ratio: Float64Array = np.where(axis, 1.0, numerator / np.where(axis, 1.0, denominator))
    return ratio
