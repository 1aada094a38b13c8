"""What surrounds the objects and is never asked for: room, table, wall decoration, small clutter.

Its colours are muted, so that "the red thing" can only be an object.
"""

from __future__ import annotations

import numpy as np

from lisa_ros.simulation.material import Material, Part, darker
from lisa_ros.simulation.mesh import (
    Mesh,
    box,
    cylinder,
    ellipsoid,
    extrude,
    join,
    rounded_rectangle,
)

TABLE_HALF_WIDTH_M = 0.80
TABLE_FRONT_M = -0.55
TABLE_BACK_M = 0.55

_WALLS = (
    (226.0, 218.0, 202.0),
    (206.0, 212.0, 214.0),
    (190.0, 202.0, 190.0),
    (216.0, 200.0, 186.0),
    (178.0, 190.0, 204.0),
    (232.0, 228.0, 220.0),
)
_WOODS = (
    ((206.0, 164.0, 112.0), (184.0, 138.0, 88.0)),
    ((168.0, 120.0, 78.0), (144.0, 98.0, 60.0)),
    ((224.0, 196.0, 154.0), (206.0, 174.0, 128.0)),
    ((134.0, 98.0, 72.0), (114.0, 80.0, 56.0)),
)
_MUTED = (
    (196.0, 186.0, 166.0),
    (150.0, 160.0, 164.0),
    (172.0, 160.0, 150.0),
    (160.0, 172.0, 156.0),
    (122.0, 128.0, 138.0),
)


def build_surroundings(rng: np.random.Generator) -> list[Part]:
    """Walls, floor, table and wall decoration in world coordinates; the table top is z = 0."""
    return [*_room(rng), *_table(rng), *_wall_decoration(rng)]


def build_clutter(rng: np.random.Generator) -> list[Part]:
    """One small plain thing that nobody would name: a block, a peg, a pebble or a coaster."""
    shape = int(rng.integers(4))
    wood = Material(_WOODS[int(rng.integers(len(_WOODS)))][0], gloss=0.05)
    stone = Material(darker(_MUTED[int(rng.integers(len(_MUTED)))], 0.8), gloss=0.05)
    if shape == 0:
        side = rng.uniform(0.035, 0.055)
        return [Part(box((side, side, side), (0, 0, side / 2)), wood)]
    if shape == 1:
        return [Part(cylinder(rng.uniform(0.014, 0.02), rng.uniform(0.07, 0.13), 14), wood)]
    if shape == 2:
        size = rng.uniform(0.022, 0.036)
        return [Part(ellipsoid((1.3 * size, size, 0.6 * size), (0, 0, 0.55 * size), 14), stone)]
    return [Part(cylinder(rng.uniform(0.045, 0.055), 0.006, 24), stone)]


def _room(rng: np.random.Generator) -> list[Part]:
    paint = _WALLS[int(rng.integers(len(_WALLS)))]
    wall = Material(paint, gloss=0.0)
    back = TABLE_BACK_M + rng.uniform(0.02, 0.25)
    panelled = rng.random() < 0.25
    if panelled:
        wall = Material(paint, "stripes", darker(paint, 0.93), rng.uniform(3.0, 6.0), gloss=0.0)
    boards = _WOODS[int(rng.integers(len(_WOODS)))]
    floor = Material(boards[0], "planks", darker(boards[1], 0.8), 6.0, gloss=0.05)
    white = Material((238.0, 238.0, 236.0), gloss=0.0)
    return [
        Part(box((6, 0.02, 4), (0, back + 0.01, 1.0)), wall),
        Part(join([box((0.02, 8, 4), (side * 2.4, 0, 1.0)) for side in (-1, 1)]), wall),
        Part(box((6, 0.02, 4), (0, -3.5, 1.0)), wall),
        Part(box((6, 8, 0.02), (0, 0, 2.6)), white),
        Part(box((6, 8, 0.02), (0, 0, -0.75)), floor),
        Part(box((6, 0.016, 0.09), (0, back - 0.008, -0.70)), white),
    ]


def _table(rng: np.random.Generator) -> list[Part]:
    tones = _WOODS[int(rng.integers(len(_WOODS)))]
    look = rng.random()
    if look < 0.62:
        top = Material(tones[0], "wood", tones[1], rng.uniform(9.0, 16.0), gloss=0.08)
    elif look < 0.82:
        plain = _MUTED[int(rng.integers(len(_MUTED)))]
        top = Material(plain, "speckle", darker(plain, 0.93), 90.0, gloss=0.05)
    else:
        cloth = _MUTED[int(rng.integers(len(_MUTED)))]
        top = Material(cloth, "checks", (222.0, 214.0, 200.0), rng.uniform(11.0, 16.0), gloss=0.0)
    depth = TABLE_BACK_M - TABLE_FRONT_M
    middle = (TABLE_BACK_M + TABLE_FRONT_M) / 2
    slab = box((2 * TABLE_HALF_WIDTH_M, depth, 0.036), (0, middle, -0.018))
    legs = [
        box(
            (0.05, 0.05, 0.72),
            (x * (TABLE_HALF_WIDTH_M - 0.05), middle + y * (depth / 2 - 0.05), -0.39),
        )
        for x in (-1, 1)
        for y in (-1, 1)
    ]
    parts = [Part(slab, top), Part(join(legs), Material(darker(tones[1], 0.8)))]
    if rng.random() < 0.35:
        parts.append(_place_mat(rng))
    return parts


def _place_mat(rng: np.random.Generator) -> Part:
    weave = _MUTED[int(rng.integers(len(_MUTED)))]
    outline = rounded_rectangle(rng.uniform(0.36, 0.48), rng.uniform(0.26, 0.32), 0.02)
    mesh = extrude(outline, 0.002).rotated("z", rng.uniform(-0.3, 0.3))
    x, y = rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.1)
    look = Material(weave, "stripes", darker(weave, 0.85), rng.uniform(15.0, 30.0), gloss=0.0)
    return Part(mesh.moved((x, y, 0.0)), look)


def _wall_decoration(rng: np.random.Generator) -> list[Part]:
    """Framed prints and a shelf in muted colours, behind the table."""
    parts: list[Part] = []
    front = TABLE_BACK_M + 0.012
    for x in (-0.45, 0.4):
        if rng.random() < 0.5:
            continue
        width, height = rng.uniform(0.25, 0.4), rng.uniform(0.22, 0.34)
        center = np.array([x + rng.uniform(-0.12, 0.12), front, rng.uniform(0.28, 0.42)])
        frame = darker(_WOODS[int(rng.integers(len(_WOODS)))][1], 0.75)
        first, second = rng.choice(len(_MUTED), 2, replace=False)
        picture = Material(_MUTED[first], "hills", darker(_MUTED[second], 0.8), 9.0, gloss=0.0)
        parts += [
            Part(box((width, 0.014, height), center), Material(frame)),
            Part(_panel(width - 0.04, height - 0.04, center), picture),
        ]
    return parts


def _panel(width: float, height: float, center: np.ndarray) -> Mesh:
    return box((width, 0.002, height), center - np.array([0, 0.008, 0]))
