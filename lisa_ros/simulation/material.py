"""What surfaces look like: nameable colours, and procedural patterns evaluated at points of an object.

A pattern is a blend factor between the two colours of a material, computed from object coordinates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lisa_ros.simulation.mesh import Mesh
from lisa_ros.types import Float32Array

Rgb = tuple[float, float, float]

# sRGB in 0..255. Well separated, so that every person would use the same word.
COLORS: dict[str, Rgb] = {
    "red": (205, 28, 32),
    "orange": (243, 122, 14),
    "yellow": (248, 212, 40),
    "green": (38, 150, 62),
    "blue": (30, 84, 205),
    "purple": (122, 48, 168),
    "pink": (248, 142, 186),
    "white": (240, 240, 236),
    "black": (30, 30, 34),
    "brown": (126, 76, 38),
    "grey": (146, 149, 154),
}


@dataclass(frozen=True)
class Material:
    """color, second: sRGB 0..255, mixed by `pattern`. scale: pattern periods per metre (or a count).

    gloss: strength of the highlight, 0..1. glow: light of its own, as a share of its colour.
    """

    color: Rgb
    pattern: str = "solid"
    second: Rgb = (0.0, 0.0, 0.0)
    scale: float = 1.0
    gloss: float = 0.15
    glow: float = 0.0


@dataclass(frozen=True, eq=False)
class Part:
    """A mesh of one material, in the coordinates of its object (z up, standing on z = 0)."""

    mesh: Mesh
    material: Material


def jittered(name: str, rng: np.random.Generator, spread: float = 9.0) -> Rgb:
    """The colour called `name` with a slight variation that does not change its name."""
    base = np.asarray(COLORS[name]) + rng.uniform(-spread, spread, 3)
    red, green, blue = np.clip(base, 0, 255)
    return (float(red), float(green), float(blue))


def darker(color: Rgb, factor: float) -> Rgb:
    """The colour with all channels multiplied by `factor`."""
    return (color[0] * factor, color[1] * factor, color[2] * factor)


def lighter(color: Rgb, share: float) -> Rgb:
    """The colour moved towards white by `share`."""
    red, green, blue = (channel + share * (255.0 - channel) for channel in color)
    return (red, green, blue)


def pattern_blend(name: str, points: Float32Array, scale: float) -> Float32Array:
    """f32[N] in 0..1: the share of the second colour at `points` f32[N,3] (object coordinates, m)."""
    return PATTERNS[name](points, scale).astype(np.float32)


def _bands(coordinate: Float32Array, scale: float) -> Float32Array:
    return ((coordinate * scale) % 1.0 > 0.5).astype(np.float32)


def _thin_bands(points: Float32Array, scale: float) -> Float32Array:
    return ((points[:, 2] * scale) % 1.0 > 0.78).astype(np.float32)


def _checks(points: Float32Array, scale: float) -> Float32Array:
    cells = np.floor(points[:, 0] * scale) + np.floor(points[:, 1] * scale)
    return (cells % 2).astype(np.float32)


def _wood(points: Float32Array, scale: float) -> Float32Array:
    x, y = points[:, 0] * scale, points[:, 1] * scale
    wave = y + 0.35 * np.sin(0.9 * x + 1.3 * np.sin(0.31 * y)) + 0.12 * np.sin(3.1 * x + y)
    grain = 0.5 + 0.5 * np.sin(2 * np.pi * wave)
    fine = 0.5 + 0.5 * np.sin(21.0 * y + 2.0 * np.sin(0.7 * x))
    return 0.7 * grain**2 + 0.3 * fine


def _planks(points: Float32Array, scale: float) -> Float32Array:
    row = np.floor(points[:, 1] * scale)
    shade = 0.5 + 0.5 * np.sin(row * 12.9898)
    seam = (points[:, 1] * scale) % 1.0 < 0.05
    return np.where(seam, 1.0, 0.45 * shade + 0.25 * _wood(points, scale * 1.7))


def _speckle(points: Float32Array, scale: float) -> Float32Array:
    cell = np.floor(points * scale)
    noise = np.sin(cell @ np.array([127.1, 311.7, 74.7], np.float32)) * 43758.5453
    return 0.6 * (noise - np.floor(noise))


def _panels(points: Float32Array, scale: float) -> Float32Array:
    angle = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi)
    return _bands(angle, scale)


def _dots(points: Float32Array, scale: float) -> Float32Array:
    angle = np.arctan2(points[:, 1], points[:, 0])
    radius = np.hypot(points[:, 0], points[:, 1])
    row = np.floor(points[:, 2] * scale)
    columns = np.maximum(np.round(2 * np.pi * radius * scale), 3.0)
    u = (angle / (2 * np.pi) * columns + 0.5 * (row % 2)) % 1.0 - 0.5
    v = (points[:, 2] * scale) % 1.0 - 0.5
    return (u * u + v * v < 0.09).astype(np.float32)


def _keys(points: Float32Array, scale: float) -> Float32Array:
    u, v = (points[:, 0] * scale) % 1.0, (points[:, 1] * scale) % 1.0
    return ((u > 0.2) & (v > 0.25)).astype(np.float32)


def _print_lines(points: Float32Array, scale: float) -> Float32Array:
    u, v = points[:, 0] * scale, points[:, 1] * scale
    ragged = np.sin(np.floor(v) * 7.3) * 0.8
    return ((v % 1.0 > 0.55) & (np.sin(u * 2.1 + ragged) > -0.75)).astype(np.float32)


def _hills(points: Float32Array, scale: float) -> Float32Array:
    """A landscape on a screen that stands in the xz plane: hills below, sky with a sun above."""
    x, z = points[:, 0] * scale, points[:, 2] * scale
    hill = 1.35 + 0.35 * np.sin(2.2 * x) + 0.2 * np.sin(5.0 * x + 1.0)
    sky = 0.18 * np.clip(z - hill, 0.0, 1.0)
    sun = (x - 0.9) ** 2 + (z - 2.6) ** 2 < 0.09
    return np.where(z < hill, 1.0, np.where(sun, 0.85, sky))


PATTERNS: dict[str, Callable[[Float32Array, float], Float32Array]] = {
    "solid": lambda points, scale: np.zeros(len(points), np.float32),
    "bands": lambda points, scale: _bands(points[:, 2], scale),
    "thin_bands": lambda points, scale: _thin_bands(points, scale),
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
