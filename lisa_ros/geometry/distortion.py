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
_CONVERGED = 1e-10


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
        return self._distort_brown(np.asarray(rays, np.float64))[0]

    def undistort(self, distorted: Float64Array) -> Float64Array:
        """Map imaged coordinates f64[...,2] to ideal rays f64[...,2]; inverse of `distort`.

        By Newton's method. NaN where no ray is imaged there: polynomials turn round outside of the
        field of view that they were calibrated for, and a fish-eye sees rays beside the camera.
        """
        distorted = np.asarray(distorted, np.float64)
        if self.model == "equidistant":
            return self._undistort_fisheye(distorted)
        return self._undistort_brown(distorted)

    def _distort_brown(self, rays: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Distort, and give the Jacobian f64[...,2,2] with it."""
        k1, k2, p1, p2, k3, k4, k5, k6 = (*self.d, *(0.0,) * (8 - len(self.d)))
        x, y = rays[..., 0], rays[..., 1]
        r2 = x * x + y * y
        upper = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        lower = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
        radial = upper / lower
        # d radial / d r²
        rate = (
            (k1 + r2 * (2 * k2 + 3 * r2 * k3)) - radial * (k4 + r2 * (2 * k5 + 3 * r2 * k6))
        ) / lower
        image = np.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
                y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
            ],
            axis=-1,
        )
        jacobian = np.empty((*r2.shape, 2, 2))
        jacobian[..., 0, 0] = radial + 2 * x * x * rate + 2 * p1 * y + 6 * p2 * x
        jacobian[..., 1, 1] = radial + 2 * y * y * rate + 6 * p1 * y + 2 * p2 * x
        jacobian[..., 0, 1] = 2 * x * y * rate + 2 * p1 * x + 2 * p2 * y
        jacobian[..., 1, 0] = jacobian[..., 0, 1]
        return image, jacobian

    def _undistort_brown(self, distorted: Float64Array) -> Float64Array:
        rays = distorted.copy()
        with np.errstate(all="ignore"):  # where it diverges the answer is NaN, below
            for _ in range(_NEWTON_STEPS):
                image, jacobian = self._distort_brown(rays)
                miss = image - distorted
                if not np.any(np.abs(miss) > _CONVERGED):
                    break
                rays -= _solve(jacobian, miss)
            image, jacobian = self._distort_brown(rays)
            # A negative determinant is a solution behind the turning point: no real ray goes there.
            folded = _determinant(jacobian) <= 0
            lost = ~(np.abs(image - distorted).max(axis=-1) < 1e3 * _CONVERGED) | folded
        rays[lost] = np.nan
        return rays

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
            value, rate = self._bend(theta)
            found = (np.abs(value - bent) < 1e3 * _CONVERGED) & (rate > 0)
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


def _determinant(matrix: Float64Array) -> Float64Array:
    determinant: Float64Array = (
        matrix[..., 0, 0] * matrix[..., 1, 1] - matrix[..., 0, 1] * matrix[..., 1, 0]
    )
    return determinant


def _solve(matrix: Float64Array, right: Float64Array) -> Float64Array:
    """Solve many 2x2 systems; a singular one gives inf or NaN (np.linalg.solve would raise)."""
    x = matrix[..., 1, 1] * right[..., 0] - matrix[..., 0, 1] * right[..., 1]
    y = matrix[..., 0, 0] * right[..., 1] - matrix[..., 1, 0] * right[..., 0]
    return np.stack([x, y], axis=-1) / _determinant(matrix)[..., None]


def _ratio(numerator: Float64Array, denominator: Float64Array) -> Float64Array:
    """Divide two lengths that go to zero together, as on the optical axis."""
    axis = denominator < 1e-12
    ratio: Float64Array = np.where(axis, 1.0, numerator / np.where(axis, 1.0, denominator))
    return ratio
