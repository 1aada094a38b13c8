"""Mug, bottle, bowl, plate, candle, teapot."""

from __future__ import annotations

import numpy as np

from lisa_ros.simulation.kinds.spec import KindSpec
from lisa_ros.simulation.material import COLORS, Material, Part, darker, jittered, lighter
from lisa_ros.simulation.mesh import cylinder, ellipsoid, lathe, tube

_NINE = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "black")
_WHITE = COLORS["white"]


def _glaze(rng: np.random.Generator, color: str, plain: float) -> Material:
    """A glossy coat: plain, or with a few light stripes or dots."""
    paint = jittered(color, rng)
    other = darker(paint, 0.55) if color == "white" else _WHITE
    if rng.random() < plain:
        return Material(paint, gloss=0.45)
    if rng.random() < 0.5:
        return Material(paint, "dots", other, 32.0, gloss=0.4)
    return Material(paint, "thin_bands", other, rng.uniform(16.0, 24.0), gloss=0.4)


def _mug(rng: np.random.Generator, color: str) -> list[Part]:
    radius, height = rng.uniform(0.050, 0.058), rng.uniform(0.105, 0.125)
    coat = _glaze(rng, color, 0.6)
    wall = lathe([(0, 0), (radius, 0), (radius, height), (radius - 0.006, height)], 22)
    inside = lathe([(radius - 0.006, height), (radius - 0.008, 0.02), (0, 0.02)], 22)
    angle = np.linspace(-1.35, 1.35, 9)
    path = np.stack(
        [radius + 0.034 * np.cos(angle), 0 * angle, height * (0.52 + 0.31 * np.sin(angle))], axis=1
    )
    path[[0, -1], 0] = radius - 0.004
    drink = cylinder(radius - 0.007, 0.002).moved((0, 0, height * 0.8))
    return [
        Part(wall, coat),
        Part(inside, Material(darker(coat.color, 0.8))),
        Part(tube(path, 0.0085, 8), Material(coat.color, gloss=0.45)),
        *([Part(drink, Material((72.0, 42.0, 24.0), gloss=0.3))] if rng.random() < 0.5 else []),
    ]


def _bottle(rng: np.random.Generator, color: str) -> list[Part]:
    radius, height = rng.uniform(0.038, 0.044), rng.uniform(0.24, 0.28)
    body = lathe(
        [(0, 0), (radius, 0), (radius, 0.58 * height), (0.8 * radius, 0.68 * height),
         (0.34 * radius, 0.80 * height), (0.34 * radius, 0.94 * height), (0, 0.94 * height)]
    )  # fmt: skip
    cap = cylinder(0.42 * radius, 0.075 * height, 14).moved((0, 0, 0.925 * height))
    label = lathe([(radius + 0.0008, 0.2 * height), (radius + 0.0008, 0.46 * height)])
    paint = jittered(color, rng)
    paper = (230.0, 225.0, 205.0) if color != "white" else (90.0, 150.0, 210.0)
    return [
        Part(body, Material(paint, gloss=0.8)),
        Part(
            cap,
            Material((40.0, 40.0, 44.0) if color in ("white", "yellow") else (232.0, 232.0, 232.0)),
        ),
        Part(label, Material(paper, "thin_bands", darker(paint, 0.7), 40.0)),
    ]


def _bowl(rng: np.random.Generator, color: str) -> list[Part]:
    radius = rng.uniform(0.080, 0.095)
    t = np.linspace(0.0, np.pi / 2, 8)
    depth = radius * rng.uniform(0.62, 0.75)
    outer = [(0.0, 0.0), (0.45 * radius, 0.0)]
    outer += [(radius * np.sin(a), depth * (1 - np.cos(a)) + 0.004) for a in t[2:]]
    inner = [(0.93 * radius * np.sin(a), depth * (1 - 0.92 * np.cos(a)) + 0.004) for a in t[::-1]]
    coat = _glaze(rng, color, 0.6)
    return [
        Part(lathe(outer, 24), coat),
        Part(lathe([outer[-1], *inner[:1]], 24), Material(lighter(coat.color, 0.35), gloss=0.3)),
        Part(lathe(inner, 24), Material(darker(coat.color, 0.78), gloss=0.05)),
    ]


def _plate(rng: np.random.Generator, color: str) -> list[Part]:
    radius = rng.uniform(0.105, 0.12)
    paint = jittered(color, rng)
    well = lathe([(0, 0.010), (0.6 * radius, 0.010), (0.66 * radius, 0.014)], 28)
    rim = lathe([(0.66 * radius, 0.014), (radius, 0.024), (radius, 0.020), (0.6 * radius, 0)], 28)
    band = lathe([(0.90 * radius, 0.0222), (0.965 * radius, 0.0242)], 28)
    stroke = darker(paint, 0.6) if color == "white" else _WHITE
    return [
        Part(well, Material(darker(paint, 0.92), gloss=0.4)),
        Part(rim, Material(paint, gloss=0.4)),
        *([Part(band, Material(stroke))] if rng.random() < 0.6 else []),
    ]


def _candle(rng: np.random.Generator, color: str) -> list[Part]:
    radius, height = rng.uniform(0.028, 0.034), rng.uniform(0.10, 0.15)
    wax = lathe(
        [(radius, 0.008), (radius, height + 0.008), (0.7 * radius, height), (0, height)], 16
    )
    saucer = lathe([(0, 0), (0.055, 0.0), (0.062, 0.014), (0.055, 0.010), (0, 0.008)])
    flame = lathe([(0, 0), (0.009, 0.010), (0.0115, 0.020), (0.007, 0.036), (0, 0.054)], 10).moved(
        (0, 0, height + 0.012)
    )
    wick = cylinder(0.003, 0.016, 6).moved((0, 0, height))
    return [
        Part(wax, Material(jittered(color, rng), glow=0.08)),
        Part(saucer, Material((176.0, 150.0, 90.0), gloss=0.6)),
        Part(wick, Material(COLORS["black"])),
        Part(flame, Material((255.0, 200.0, 70.0), glow=1.2)),
    ]


def _teapot(rng: np.random.Generator, color: str) -> list[Part]:
    size = rng.uniform(0.066, 0.076)
    coat = _glaze(rng, color, 0.7)
    body = ellipsoid((size, size, 0.8 * size), (0, 0, 0.78 * size), 22)
    lid = lathe([(0.5 * size, 1.42 * size), (0.3 * size, 1.62 * size), (0, 1.66 * size)], 18)
    knob = ellipsoid((0.013, 0.013, 0.013), (0, 0, 1.76 * size), 10)
    spout = tube(
        np.array([(0.8, 0, 0.5), (1.2, 0, 0.75), (1.42, 0, 1.1), (1.62, 0, 1.4)]) * size,
        np.array([0.24, 0.18, 0.13, 0.11]) * size,
    )
    angle = np.linspace(0.35, 2 * np.pi - 0.35, 11)
    handle = np.stack(
        [
            -1.1 * size - 0.42 * size * np.cos(np.pi - angle) * -1,
            0 * angle,
            size * (0.85 + 0.5 * np.sin(angle)),
        ],
        axis=1,
    )
    return [
        Part(body, coat),
        Part(lid, Material(darker(coat.color, 0.85), gloss=0.4)),
        *(
            Part(mesh, Material(coat.color, gloss=0.4))
            for mesh in (knob, spout, tube(handle, 0.010))
        ),
    ]


SPECS = (
    KindSpec("mug", _mug, _NINE),
    KindSpec(
        "bottle", _bottle, ("red", "green", "blue", "purple", "white", "pink", "orange", "yellow")
    ),
    KindSpec("bowl", _bowl, _NINE),
    KindSpec("plate", _plate, _NINE),
    KindSpec(
        "candle",
        _candle,
        ("red", "white", "green", "purple", "pink", "blue"),
        accents=("yellow", "orange"),
    ),
    KindSpec("teapot", _teapot, _NINE),
)
