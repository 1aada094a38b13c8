"""Book, pen, scissors, glasses, keys."""

from __future__ import annotations

import numpy as np

from lisa_ros.simulation.kinds.spec import KindSpec
from lisa_ros.simulation.material import Material, Part, darker, jittered
from lisa_ros.simulation.mesh import (
    box,
    cylinder,
    extrude,
    join,
    lathe,
    ring,
    rounded_rectangle,
    tube,
)

_STEEL = Material((176.0, 180.0, 186.0), gloss=0.7)


def _book(rng: np.random.Generator, color: str) -> list[Part]:
    """It lies on the table or stands on its edge, the cover to the front."""
    width, length, thick = (
        rng.uniform(0.13, 0.16),
        rng.uniform(0.19, 0.22),
        rng.uniform(0.028, 0.045),
    )
    paint = jittered(color, rng)
    ink = (40.0, 40.0, 45.0) if color in ("white", "yellow", "pink") else (245.0, 235.0, 205.0)
    covers = join([
        box((width, length, 0.004), (0, 0, thick - 0.002)),
        box((width, length, 0.004), (0, 0, 0.002)),
        box((0.005, length, thick), (-width / 2, 0, thick / 2)),
    ])  # fmt: skip
    pages = box((width - 0.010, length - 0.012, thick - 0.008), (-0.001, 0, thick / 2))
    title = join([
        box((width * 0.62, 0.016, 0.001), (0, length * 0.27, thick)),
        box((width * 0.45, 0.010, 0.001), (0, length * 0.15, thick)),
    ])  # fmt: skip
    badge = cylinder(0.024, 0.001, 14).moved((0, -length * 0.2, thick))
    parts = [
        (covers, Material(paint, gloss=0.2)),
        (pages, Material((238.0, 230.0, 208.0), "bands", (205.0, 196.0, 172.0), 260.0)),
        (title, Material(ink)),
        (badge, Material(ink if rng.random() < 0.5 else darker(paint, 0.6))),
    ]
    if rng.random() < 0.3:
        lean = np.pi / 2
        parts = [
            (m.rotated("x", lean).moved((0, thick / 2, length / 2)), material)
            for m, material in parts
        ]
    return [Part(mesh, material) for mesh, material in parts]


def _pen(rng: np.random.Generator, color: str) -> list[Part]:
    """A thick marker pen, lying."""
    length, radius = rng.uniform(0.22, 0.25), 0.0165
    barrel = lathe([(0, 0), (radius, 0), (radius, length * 0.62), (0, length * 0.62)], 12)
    grip = lathe([(radius * 0.9, length * 0.62), (radius * 0.85, length * 0.84)], 12)
    tip = lathe([(radius * 0.85, length * 0.84), (0.0035, length * 0.98), (0, length)], 12)
    clip = box((0.006, 0.004, length * 0.28), (0, radius + 0.002, length * 0.15))
    paint = jittered(color, rng)
    down = [
        m.rotated("y", np.pi / 2).moved((-length / 2, 0, radius)) for m in (barrel, grip, tip, clip)
    ]
    return [
        Part(down[0], Material(paint, gloss=0.4)),
        Part(down[1], Material((225.0, 225.0, 225.0))),
        Part(join(down[2:]), Material(paint if color == "black" else (60.0, 60.0, 66.0))),
    ]


def _scissors(rng: np.random.Generator, color: str) -> list[Part]:
    """Half open, lying flat; the rings towards -y."""
    spread = rng.uniform(0.16, 0.30)
    blades, grips = [], []
    for side in (-1.0, 1.0):
        blade = extrude(
            np.array([(-0.011, -0.005), (0.011, -0.005), (0.009, 0.07), (0.0, 0.125)]), 0.006
        )
        arm = box((0.014, 0.055, 0.008), (0.0, -0.028, 0.004))
        loop = (
            ring(0.026, 0.0085, 16).scaled((0.9, 1.25, 1.0)).moved((-side * 0.006, -0.082, 0.008))
        )
        blades.append(blade.rotated("z", side * spread).moved((0, 0, 0.002 + 0.003 * (side > 0))))
        grips.append(join([arm, loop]).rotated("z", side * spread))
    screw = cylinder(0.006, 0.014, 10)
    return [
        Part(join(blades), _STEEL),
        Part(join(grips), Material(jittered(color, rng), gloss=0.3)),
        Part(screw, Material((90.0, 92.0, 96.0))),
    ]


def _glasses(rng: np.random.Generator, color: str) -> list[Part]:
    """Sunglasses that stand on their lenses and folded-open arms, front towards -y."""
    lens = rounded_rectangle(0.066, 0.050, 0.022)
    frame = Material(jittered(color, rng), gloss=0.4)
    rims, panes, arms = [], [], []
    for side in (-1.0, 1.0):
        pane = extrude(lens, 0.004).rotated("x", np.pi / 2).moved((side * 0.042, 0.001, 0.032))
        outline = np.column_stack([lens[:, 0] + side * 0.042, 0 * lens[:, 0], lens[:, 1] + 0.032])
        rims.append(tube(outline, 0.0065, 6, closed=True))
        panes.append(pane)
        x = side * 0.078
        arms.append(tube([(x, 0, 0.046), (x, 0.09, 0.044), (x, 0.135, 0.020)], 0.0055, 6))
    bridge = tube([(-0.012, 0, 0.040), (0, 0, 0.044), (0.012, 0, 0.040)], 0.0055, 6)
    return [
        Part(join(panes), Material((34.0, 32.0, 40.0), gloss=0.9)),
        Part(join([*rims, *arms, bridge]), frame),
    ]


def _keys(rng: np.random.Generator, color: str) -> list[Part]:
    """Three keys on a ring, fanned out flat."""
    loop = ring(0.026, 0.005, 18).moved((0, -0.03, 0.006))
    metals = [(212.0, 170.0, 70.0), (182.0, 186.0, 192.0), (200.0, 150.0, 60.0)]
    parts = [Part(loop, _STEEL)]
    for metal, fan in zip(metals, (-0.62, 0.0, 0.62), strict=True):
        head = cylinder(0.021, 0.008, 12).moved((0, 0.02, 0))
        shaft = box((0.011, 0.075, 0.006), (0, 0.072, 0.004))
        teeth = [box((0.012, 0.010, 0.006), (0.009, y, 0.004)) for y in (0.080, 0.100)]
        key = join([head, shaft, *teeth]).rotated("z", fan + rng.uniform(-0.1, 0.1))
        parts.append(Part(key.moved((0, -0.03, 0.002)), Material(metal, gloss=0.7)))
    tag = extrude(rounded_rectangle(0.034, 0.046, 0.010), 0.008).moved((0, -0.082, 0))
    return [*parts, Part(tag, Material(jittered(color, rng)))]


SPECS = (
    KindSpec(
        "book",
        _book,
        ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "black"),
        max_turn_rad=0.9,
    ),
    KindSpec(
        "pen",
        _pen,
        ("red", "blue", "green", "black", "purple", "orange"),
        accents=("white", "black", "grey"),
    ),
    KindSpec(
        "scissors",
        _scissors,
        ("red", "orange", "blue", "green", "purple", "yellow"),
        accents=("grey",),
        size=1.15,
    ),
    KindSpec(
        "glasses",
        _glasses,
        ("black", "red", "white", "blue", "yellow"),
        accents=("black",),
        max_turn_rad=0.8,
        size=1.12,
    ),
    KindSpec(
        "keys",
        _keys,
        ("red", "blue", "green"),
        nameable=False,
        accents=("yellow", "grey", "brown", "orange"),
        size=1.2,
    ),
)
