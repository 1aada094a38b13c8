"""Apple, orange, lemon, banana."""

from __future__ import annotations

import numpy as np

from lisa_ros.simulation.kinds.spec import KindSpec
from lisa_ros.simulation.material import Material, Part, darker, jittered
from lisa_ros.simulation.mesh import ellipsoid, lathe, tube

_STEM = Material((92.0, 62.0, 34.0))
_LEAF = Material((70.0, 160.0, 60.0))


def _apple(rng: np.random.Generator, color: str) -> list[Part]:
    size = rng.uniform(0.062, 0.072)
    profile = [
        (0.0, 0.12), (0.35, 0.0), (0.62, 0.1), (0.86, 0.45), (1.0, 0.95),
        (0.97, 1.35), (0.78, 1.68), (0.45, 1.78), (0.2, 1.70), (0.0, 1.5),
    ]  # fmt: skip
    body = lathe(np.array(profile) * size, 20)
    stem = tube(
        [(0, 0, 1.5 * size), (0.1 * size, 0, 1.9 * size), (0.3 * size, 0, 2.2 * size)], 0.005, 6
    )
    leaf = ellipsoid((0.036, 0.017, 0.005)).rotated("y", -0.5).moved((0.035, 0.0, 2.0 * size))
    skin = jittered(color, rng)
    return [Part(body, Material(skin, gloss=0.5)), Part(stem, _STEM), Part(leaf, _LEAF)]


def _orange(rng: np.random.Generator, color: str) -> list[Part]:
    size = rng.uniform(0.062, 0.072)
    skin = jittered(color, rng)
    body = ellipsoid((size, size, size * 0.96), (0, 0, size * 0.96), 20)
    navel = ellipsoid((0.012, 0.012, 0.004), (0, 0, size * 1.92), 10)
    peel = Material(skin, "speckle", darker(skin, 0.82), 160.0, gloss=0.2)
    return [Part(body, peel), Part(navel, Material((88.0, 120.0, 40.0)))]


def _lemon(rng: np.random.Generator, color: str) -> list[Part]:
    size = rng.uniform(0.046, 0.053)
    t = np.linspace(-1.0, 1.0, 15)
    radius = size * np.sqrt(np.maximum(1 - t**2, 0)) ** 0.9
    tip = 0.22 * size * np.exp(-(((np.abs(t) - 1.0) / 0.14) ** 2))
    profile = np.stack(
        [np.where(np.abs(t) > 0.999, 0.0, np.maximum(radius, tip)), 1.55 * size * t], axis=1
    )
    body = lathe(profile, 16).rotated("y", np.pi / 2).moved((0, 0, size))
    skin = jittered(color, rng)
    return [Part(body, Material(skin, "speckle", darker(skin, 0.9), 200.0, gloss=0.3))]


def _banana(rng: np.random.Generator, color: str) -> list[Part]:
    bend = rng.uniform(0.095, 0.11)
    angle = np.linspace(-1.05, 1.05, 13)
    path = np.stack(
        [bend * np.sin(angle), bend * np.cos(angle) - 0.8 * bend, 0 * angle + 0.024], axis=1
    )
    thick = 0.025 * np.minimum(1.0, 0.30 + 1.9 * (1 - np.abs(angle) / 1.05))
    ends = [tube(path[pick], 0.010, 6) for pick in (slice(0, 2), slice(-2, None))]
    skin = jittered(color, rng)
    return [
        Part(tube(path, thick, 6), Material(skin)),
        *(Part(end, Material((95.0, 75.0, 30.0))) for end in ends),
    ]


SPECS = (
    KindSpec("apple", _apple, ("red", "green")),
    KindSpec("orange", _orange, ("orange",)),
    KindSpec("lemon", _lemon, ("yellow",)),
    KindSpec("banana", _banana, ("yellow",), size=1.12),
)
