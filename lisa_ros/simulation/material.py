"""What surfaces look like: nameable colours, and materials that mix two of them by a pattern."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lisa_ros.simulation.mesh import Mesh

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
    """How a part looks.

    color, second: sRGB 0..255, mixed by `pattern`. scale: pattern periods per metre (or
    round the axis). gloss: strength of the highlight, 0..1. glow: light of its own, as a share of
    its colour.
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
