"""Procedural patterns: blend factors between two colours, computed from points of an object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from lisa_ros.types import Float32Array


def pattern_blend(name: str, points: Float32Array, scale: float) -> Float32Array:
    """f32[N] in 0..1, the share of the second colour at object points f32[N,3] in metres."""
    return np.asarray(_PATTERNS[name](points, scale), np.float32)


def _bands(coordinate: npt.NDArray[Any], scale: float) -> npt.NDArray[Any]:
    return np.asarray((coordinate * scale) % 1.0 > 0.5)


def _thin_bands(points: Float32Array, scale: float) -> npt.NDArray[Any]:
    return np.asarray((points[:, 2] * scale) % 1.0 > 0.78)


def _checks(points: Float32Array, scale: float) -> npt.NDArray[Any]:
    cells = np.floor(points[:, 0] * scale) + np.floor(points[:, 1] * scale)
    return np.asarray(cells % 2)


def _wood(points: Float32Array, scale: float) -> npt.NDArray[Any]:
    x, y = points[:, 0] * scale, points[:, 1] * scale
    wave = y + 0.35 * np.sin(0.9 * x + 1.3 * np.sin(0.31 * y)) + 0.12 * np.sin(3.1 * x + y)
    grain = 0.5 + 0.5 * np.sin(2 * np.pi * wave)
    fine = 0.5 + 0.5 * np.sin(21.0 * y + 2.0 * np.sin(0.7 * x))
    return np.asarray(0.7 * grain**2 + 0.3 * fine)


def _planks(points: Float32Array, scale: float) -> npt.NDArray[Any]:
    row = np.floor(points[:, 1] * scale)
    shade = 0.5 + 0.5 * np.sin(row * 12.9898)
    seam = (points[:, 1] * scale) % 1.0 < 0.05
    return np.where(seam, 1.0, 0.45 * shade + 0.25 * _wood(points, scale * 1.7))


def _speckle(points: Float32Array, scale: float) -> npt.NDArray[Any]:
    cell = np.floor(points * scale)
    noise = np.sin(cell @ np.array([127.1, 311.7, 74.7], np.float32)) * 43758.5453
    return np.asarray(0.6 * (noise - np.floor(noise)))


def _panels(points: Float32Array, scale: float) -> npt.NDArray[Any]:
    angle = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi)
    return _bands(angle, scale)


def _dots(points: Float32Array, scale: float) -> npt.NDArray[Any]:
    angle = np.arctan2(points[:, 1], points[:, 0])
    radius = np.hypot(points[:, 0], points[:, 1])
    row = np.floor(points[:, 2] * scale)
    columns = np.maximum(np.round(2 * np.pi * radius * scale), 3.0)
    u = (angle / (2 * np.pi) * columns + 0.5 * (row % 2)) % 1.0 - 0.5
    v = (points[:, 2] * scale) % 1.0 - 0.5
    return np.asarray(u * u + v * v < 0.09)


def _keys(points: Float32Array, scale: float) -> npt.NDArray[Any]:
    u, v = (points[:, 0] * scale) % 1.0, (points[:, 1] * scale) % 1.0
    return np.asarray((u > 0.2) & (v > 0.25))


def _print_lines(points: Float32Array, scale: float) -> npt.NDArray[Any]:
    u, v = points[:, 0] * scale, points[:, 1] * scale
    ragged = np.sin(np.floor(v) * 7.3) * 0.8
    return np.asarray((v % 1.0 > 0.55) & (np.sin(u * 2.1 + ragged) > -0.75))


def _hills(points: Float32Array, scale: float) -> npt.NDArray[Any]:
    """A landscape on a screen that stands in the xz plane: hills below, sky with a sun above."""
    x, z = points[:, 0] * scale, points[:, 2] * scale
    hill = 1.35 + 0.35 * np.sin(2.2 * x) + 0.2 * np.sin(5.0 * x + 1.0)
    sky = 0.18 * np.clip(z - hill, 0.0, 1.0)
    sun = (x - 0.9) ** 2 + (z - 2.6) ** 2 < 0.09
    return np.where(z < hill, 1.0, np.where(sun, 0.85, sky))


_PATTERNS: dict[str, Callable[[Float32Array, float], npt.NDArray[Any]]] = {
    "solid": lambda points, scale: np.zeros(len(points), np.float32),
    "bands": lambda points, scale: _bands(points[:, 2], scale),
    "thin_bands": _thin_bands,
    "stripes": lambda points, scale: _bands(points[:, 0], scale),
    "checks": _checks,
    "wood": _wood,
    "planks": _planks,
    "speckle": _speckle,
    "panels": _panels,
    "dots": _dots,
    "keys": _keys,
    "print": _print_lines,
    "hills": _hills,
}
