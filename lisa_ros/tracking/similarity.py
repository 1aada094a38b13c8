"""A motion in the image plane: shift, turn and scale, fitted to points of which some are wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lisa_ros.types import BoolArray, Float64Array

_ComplexArray = npt.NDArray[np.complex128]

_HYPOTHESES = 64
_INLIER_PX = 1.5
_MIN_INLIERS = 4
_MIN_INLIER_SHARE = 0.5


@dataclass(frozen=True)
class Similarity:
    """w = factor·z + offset of pixels z = u + iv: factor turns and scales, offset shifts (px)."""

    factor: complex
    offset: complex

    def moved(self, mask: BoolArray) -> BoolArray:
        """Return where a mask bool[H,W] goes; nearest pixel, cut at the image's border."""
        moved = np.zeros_like(mask)
        v, u = np.nonzero(mask)
        if len(u) == 0:
            return moved
        corners = np.array([complex(x, y) for x in (u.min(), u.max()) for y in (v.min(), v.max())])
        reached = self.factor * corners + self.offset
        height, width = mask.shape
        left, right = _span(reached.real, width)
        top, bottom = _span(reached.imag, height)
        y, x = np.mgrid[top:bottom, left:right]
        source = (x + 1j * y - self.offset) / self.factor
        from_u, from_v = np.rint(source.real).astype(np.intp), np.rint(source.imag).astype(np.intp)
        inside = (from_u >= 0) & (from_u < width) & (from_v >= 0) & (from_v < height)
        taken = mask[np.clip(from_v, 0, height - 1), np.clip(from_u, 0, width - 1)]
        moved[top:bottom, left:right] = taken & inside
        return moved


def fit_similarity(source: Float64Array, target: Float64Array) -> Similarity | None:
    """Fit the motion that most points agree on; None where too few do.

    source, target: f64[N,2] = (u, v). Consensus of pairs of points (RANSAC, Fischler and Bolles
    1981; the same pairs for the same N, so that results repeat), then least squares over those that
    agree.
    """
    z, w = source @ np.array([1, 1j]), target @ np.array([1, 1j])
    if len(z) < _MIN_INLIERS:
        return None
    first, second = _pairs(len(z))
    spread = z[second] - z[first]
    usable = np.abs(spread) > 1.0
    if not usable.any():
        return None
    first, second, spread = first[usable], second[usable], spread[usable]
    factor = (w[second] - w[first]) / spread
    offset = w[first] - factor * z[first]
    error = np.abs(factor[:, None] * z + offset[:, None] - w)
    agree = error[(error < _INLIER_PX).sum(axis=1).argmax()] < _INLIER_PX
    if agree.sum() < max(_MIN_INLIERS, _MIN_INLIER_SHARE * len(z)):
        return None
    return _least_squares(z[agree], w[agree])


def _pairs(count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    rng = np.random.default_rng(count)
    first = rng.integers(count, size=_HYPOTHESES)
    second = (first + rng.integers(1, count, size=_HYPOTHESES)) % count
    return first, second


def _least_squares(z: _ComplexArray, w: _ComplexArray) -> Similarity | None:
    from_mean, to_mean = z - z.mean(), w - w.mean()
    spread = float(np.vdot(from_mean, from_mean).real)
    if spread < 1.0:
        return None
    factor = complex(np.vdot(from_mean, to_mean) / spread)
    if abs(factor) < 0.1:
        return None
    return Similarity(factor, complex(w.mean() - factor * z.mean()))


def _span(values: Float64Array, limit: int) -> tuple[int, int]:
    low = int(np.clip(np.floor(values.min()) - 1, 0, limit))
    return low, int(np.clip(np.ceil(values.max()) + 2, low, limit))
