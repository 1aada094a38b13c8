"""Plant, clock, ball, box, teddy, toy car."""

from __future__ import annotations

import numpy as np

from lisa_ros.simulation.kinds.spec import KindSpec
from lisa_ros.simulation.material import COLORS, Material, Part, darker, jittered
from lisa_ros.simulation.mesh import Mesh, box, cylinder, ellipsoid, join, lathe, tube

_WHITE = COLORS["white"]
_BLACK = COLORS["black"]


def _plant(rng: np.random.Generator, color: str) -> list[Part]:
    radius, height = rng.uniform(0.042, 0.050), rng.uniform(0.065, 0.08)
    pot = lathe([(0, 0), (0.75 * radius, 0), (radius, height), (0.88 * radius, height)])
    soil = cylinder(0.9 * radius, 0.003).moved((0, 0, height - 0.008))
    leaves = []
    count = int(rng.integers(9, 13))
    for index in range(count):
        turn = 2 * np.pi * index / count * 2.4 + rng.uniform(-0.2, 0.2)
        droop = rng.uniform(0.15, 0.95)
        length = rng.uniform(0.065, 0.095)
        leaf = ellipsoid((length / 2, 0.021, 0.005), (length / 2, 0, 0), 10)
        leaves.append(leaf.rotated("y", droop - np.pi / 2).rotated("z", turn).moved((0, 0, height)))
    half = count // 2
    green = jittered("green", rng)
    return [
        Part(pot, Material(jittered(color, rng), gloss=0.2)),
        Part(soil, Material((62.0, 44.0, 30.0))),
        Part(join(leaves[:half]), Material(green)),
        Part(join(leaves[half:]), Material(darker(green, 0.8))),
    ]


def _clock(rng: np.random.Generator, color: str) -> list[Part]:
    """An alarm clock on two feet, the dial to the front."""
    radius = rng.uniform(0.060, 0.070)
    z = radius + 0.014
    paint = Material(jittered(color, rng), gloss=0.4)
    case = cylinder(radius, 0.045, 24).rotated("x", np.pi / 2).moved((0, 0.022, z))
    dial = cylinder(0.84 * radius, 0.002, 24).rotated("x", np.pi / 2).moved((0, -0.023, z))
    ticks = [
        box((0.005, 0.002, 0.012), (0, 0, 0.70 * radius)).rotated("y", turn)
        for turn in np.arange(12) * np.pi / 6
    ]
    hands = [
        box((0.007, 0.002, length), (0, 0, length / 2)).rotated("y", rng.uniform(0, 2 * np.pi))
        for length in (0.40 * radius, 0.62 * radius)
    ]
    bells = [
        ellipsoid((0.026, 0.022, 0.020), (side * 0.62 * radius, 0, z + 0.93 * radius), 12)
        for side in (-1, 1)
    ]
    feet = [
        tube(
            [(side * 0.5 * radius, 0, z - 0.8 * radius), (side * 0.75 * radius, 0, 0.006)], 0.007, 6
        )
        for side in (-1, 1)
    ]
    return [
        Part(join([case, *bells]), paint),
        Part(dial, Material((245.0, 244.0, 236.0))),
        Part(join([*ticks, *hands]).moved((0, -0.026, z)), Material(_BLACK)),
        Part(join(feet), Material((120.0, 122.0, 128.0), gloss=0.5)),
    ]


def _ball(rng: np.random.Generator, color: str) -> list[Part]:
    """A beach ball: coloured and white panels."""
    radius = rng.uniform(0.080, 0.092)
    globe = ellipsoid((radius,) * 3, (0, 0, radius), 22)
    return [Part(globe, Material(jittered(color, rng), "panels", _WHITE, 3.0, gloss=0.4))]


def _box(rng: np.random.Generator, color: str) -> list[Part]:
    """A cardboard parcel with tape and a label."""
    width, depth, height = rng.uniform(0.13, 0.19), rng.uniform(0.11, 0.15), rng.uniform(0.08, 0.13)
    card = Material((186.0, 138.0, 88.0), "wood", (172.0, 124.0, 76.0), 60.0, gloss=0.02)
    tape = join([
        box((0.030, depth + 0.002, 0.001), (0, 0, height)),
        box((0.030, 0.001, height * 0.4), (0, -depth / 2 - 0.0005, height * 0.8)),
        box((0.030, 0.001, height * 0.4), (0, depth / 2 + 0.0005, height * 0.8)),
    ])  # fmt: skip
    label = box((0.05, 0.001, 0.035), (width * 0.27, -depth / 2 - 0.0008, height * 0.38))
    return [
        Part(box((width, depth, height), (0, 0, height / 2)), card),
        Part(tape, Material((222.0, 196.0, 146.0), gloss=0.4)),
        Part(label, Material((240.0, 240.0, 236.0), "stripes", (150.0, 150.0, 150.0), 140.0)),
    ]


def _teddy(rng: np.random.Generator, color: str) -> list[Part]:
    s = rng.uniform(0.95, 1.12)
    fur = jittered(color, rng)
    light = (235.0, 205.0, 165.0) if color == "brown" else (250.0, 235.0, 225.0)
    body = [
        ellipsoid((0.048, 0.042, 0.055), (0, 0, 0.055)),
        ellipsoid((0.042, 0.040, 0.040), (0, -0.004, 0.138)),
        *(ellipsoid((0.018, 0.012, 0.018), (x, 0, 0.172), 10) for x in (-0.034, 0.034)),
        *(ellipsoid((0.017, 0.022, 0.036), (x, -0.012, 0.078), 10) for x in (-0.052, 0.052)),
        *(ellipsoid((0.022, 0.040, 0.022), (x, -0.040, 0.022), 10) for x in (-0.034, 0.034)),
    ]
    patches = [
        ellipsoid((0.030, 0.012, 0.036), (0, -0.034, 0.052), 12),
        ellipsoid((0.020, 0.016, 0.016), (0, -0.038, 0.128), 12),
        *(ellipsoid((0.014, 0.006, 0.014), (x, -0.079, 0.022), 10) for x in (-0.034, 0.034)),
    ]
    dark = [
        ellipsoid((0.0075, 0.006, 0.006), (0, -0.054, 0.134), 8),
        *(ellipsoid((0.0065, 0.005, 0.0065), (x, -0.040, 0.150), 8) for x in (-0.017, 0.017)),
    ]
    return [
        Part(
            join(body).scaled((s, s, s)),
            Material(fur, "speckle", darker(fur, 0.75), 170.0, gloss=0.0),
        ),
        Part(join(patches).scaled((s, s, s)), Material(light, gloss=0.0)),
        Part(join(dark).scaled((s, s, s)), Material(_BLACK, gloss=0.5)),
    ]


def _car(rng: np.random.Generator, color: str) -> list[Part]:
    """A toy car along x."""
    s = rng.uniform(0.95, 1.15)
    paint = Material(jittered(color, rng), gloss=0.6)
    body = box((0.19, 0.085, 0.042), (0, 0, 0.046))
    cabin = box((0.095, 0.074, 0.036), (-0.008, 0, 0.084))
    glass = join(
        [
            box((0.080, 0.077, 0.022), (-0.008, 0, 0.084)),
            box((0.098, 0.062, 0.022), (-0.008, 0, 0.084)),
        ]
    )
    axles = [(x, y) for x in (-0.056, 0.056) for y in (-0.040, 0.040)]

    def discs(radius: float, width: float) -> Mesh:
        disc = cylinder(radius, width, 16).moved((0, 0, -width / 2)).rotated("x", np.pi / 2)
        return join([disc.moved((x, y, 0.027)) for x, y in axles])

    lights = join([box((0.004, 0.016, 0.012), (0.095, y, 0.052)) for y in (-0.026, 0.026)])
    meshes = [
        (join([body, cabin]), paint),
        (glass, Material((150.0, 200.0, 225.0), gloss=0.8)),
        (discs(0.027, 0.020), Material((32.0, 32.0, 34.0))),
        (discs(0.013, 0.024), Material((200.0, 200.0, 205.0))),
        (lights, Material((255.0, 240.0, 170.0), glow=0.5)),
    ]
    return [Part(mesh.scaled((s, s, s)), material) for mesh, material in meshes]


SPECS = (
    KindSpec(
        "plant",
        _plant,
        ("white", "brown", "orange", "blue"),
        nameable=False,
        accents=("green", "white", "brown", "orange", "blue"),
    ),
    KindSpec(
        "clock",
        _clock,
        ("red", "yellow", "green", "blue", "pink", "black", "purple", "orange"),
        accents=("white",),
        max_turn_rad=0.7,
    ),
    KindSpec(
        "ball",
        _ball,
        ("red", "blue", "green", "yellow", "purple", "orange", "pink"),
        accents=("white",),
    ),
    KindSpec("box", _box, ("brown",), size=0.88),
    KindSpec(
        "teddy", _teddy, ("brown", "white", "pink"), accents=("white",), max_turn_rad=0.8, size=0.95
    ),
    KindSpec(
        "car",
        _car,
        ("red", "blue", "green", "yellow", "orange", "purple", "white"),
        accents=("black",),
        size=0.88,
    ),
)
