"""Remote control, phone, television, laptop, headphones, lamp."""

from __future__ import annotations

import numpy as np

from lisa_ros.simulation.kinds.spec import KindSpec
from lisa_ros.simulation.material import COLORS, Material, Part, darker, jittered
from lisa_ros.simulation.mesh import (
    Mesh,
    box,
    cylinder,
    ellipsoid,
    extrude,
    join,
    lathe,
    rounded_rectangle,
    tube,
)

_GREY = COLORS["grey"]
_BLACK = COLORS["black"]
_WHITE = COLORS["white"]


def _remote(rng: np.random.Generator, color: str) -> list[Part]:
    body = jittered(color, rng)
    keys = _BLACK if color in ("white", "grey") else (205.0, 205.0, 205.0)
    length = rng.uniform(0.21, 0.25)
    slab = extrude(rounded_rectangle(0.066, length, 0.018), 0.024)
    top = length / 2
    rows = [
        box((0.012, 0.011, 0.005), (x, y, 0.026))
        for y in np.arange(-top + 0.024, 0.01, 0.021)
        for x in (-0.019, 0.0, 0.019)
    ]
    pad = cylinder(0.021, 0.005, 14).moved((0, top - 0.068, 0.024))
    power = cylinder(0.009, 0.006, 10).moved((0, top - 0.024, 0.024))
    return [
        Part(slab, Material(body, gloss=0.2)),
        Part(join([*rows, pad]), Material(keys)),
        Part(power, Material(COLORS["red"])),
    ]


def _phone(rng: np.random.Generator, color: str) -> list[Part]:
    length = rng.uniform(0.17, 0.19)
    case = extrude(rounded_rectangle(0.092, length, 0.016), 0.012)
    screen = extrude(rounded_rectangle(0.078, length - 0.016, 0.010), 0.001).moved((0, 0, 0.012))
    glow = [(40.0, 170.0, 225.0), (60.0, 200.0, 190.0), (70.0, 130.0, 235.0)][rng.integers(3)]
    icons = [
        (box((0.013, 0.013, 0.001), (x, y, 0.0136)), tint)
        for y, tints in zip((0.045, 0.018, -0.009), (("yellow", "white", "red"),) * 3, strict=True)
        for x, tint in zip((-0.022, 0.0, 0.022), tints, strict=True)
    ]
    return [
        Part(case, Material(jittered(color, rng), gloss=0.3)),
        Part(screen, Material(glow, gloss=0.3, glow=0.35)),
        *(Part(mesh, Material(COLORS[tint], glow=0.35)) for mesh, tint in icons),
    ]


def _television(rng: np.random.Generator, color: str) -> list[Part]:
    width = rng.uniform(0.34, 0.40)
    height = width * 0.60
    z = 0.035 + height / 2
    sky = [(150.0, 205.0, 245.0), (245.0, 190.0, 140.0), (120.0, 160.0, 230.0)][rng.integers(3)]
    frame = box((width, 0.022, height), (0, 0, z))
    foot = join([box((0.15, 0.09, 0.01), (0, 0, 0.005)), box((0.05, 0.02, 0.05), (0, 0.005, 0.03))])
    screen = box((width - 0.03, 0.002, height - 0.03), (0, -0.012, z))
    picture = Material(sky, "hills", (45.0, 130.0, 62.0), 3.0 / height, gloss=0.2, glow=0.55)
    return [
        Part(frame, Material(jittered(color, rng, 4.0), gloss=0.3)),
        Part(foot, Material(_BLACK)),
        Part(screen, picture),
    ]


def _laptop(rng: np.random.Generator, color: str) -> list[Part]:
    body = jittered(color, rng)
    width, depth = rng.uniform(0.26, 0.30), 0.19
    lean = rng.uniform(0.15, 0.45)
    base = box((width, depth, 0.014), (0, 0, 0.007))
    deck = box((width - 0.03, 0.10, 0.001), (0, 0.025, 0.0145))
    touchpad = box((0.08, 0.045, 0.001), (0, -0.062, 0.0145))
    lid = box((width, 0.008, 0.18), (0, 0, 0.09))
    screen = box((width - 0.022, 0.001, 0.158), (0, -0.0045, 0.09))
    bar = box((width - 0.022, 0.001, 0.018), (0, -0.0053, 0.16))
    page = box((width * 0.5, 0.001, 0.085), (-width * 0.08, -0.0053, 0.085))

    def hinged(mesh: Mesh) -> Mesh:
        return mesh.rotated("x", -lean).moved((0, depth / 2 - 0.006, 0.012))

    key_bed = Material((52.0, 52.0, 58.0), "keys", (24.0, 24.0, 28.0), 48.0)
    return [
        Part(join([base, hinged(lid)]), Material(body, gloss=0.3)),
        Part(deck, key_bed),
        Part(touchpad, Material(darker(body, 0.8))),
        Part(hinged(screen), Material((52.0, 110.0, 190.0), gloss=0.2, glow=0.5)),
        Part(hinged(bar), Material((225.0, 230.0, 235.0), glow=0.5)),
        Part(
            hinged(page),
            Material((240.0, 242.0, 245.0), "print", (90.0, 100.0, 120.0), 60.0, glow=0.4),
        ),
    ]


def _headphones(rng: np.random.Generator, color: str) -> list[Part]:
    """They stand on their cups, the band above."""
    radius = rng.uniform(0.075, 0.088)
    angle = np.linspace(-0.15, np.pi + 0.15, 15)
    band = np.stack(
        [radius * np.cos(angle), 0 * angle, 0.055 + 1.15 * radius * np.sin(angle)], axis=1
    )
    cups, pads = [], []
    for side in (-1, 1):
        cup = cylinder(0.040, 0.026, 18).rotated("y", side * np.pi / 2)
        cups.append(cup.moved((side * (radius - 0.004), 0, 0.042)))
        pad = cylinder(0.034, 0.018, 18).rotated("y", -side * np.pi / 2)
        pads.append(pad.moved((side * (radius - 0.004), 0, 0.042)))
    paint = jittered(color, rng)
    soft = _GREY if color == "black" else (50.0, 50.0, 55.0)
    return [
        Part(join([tube(band, 0.011), *cups]), Material(paint, gloss=0.3)),
        Part(join(pads), Material(soft)),
    ]


def _lamp(rng: np.random.Generator, color: str) -> list[Part]:
    height = rng.uniform(0.24, 0.30)
    foot = lathe([(0, 0), (0.055, 0), (0.055, 0.012), (0.012, 0.022), (0.009, height * 0.6)])
    wide, narrow = rng.uniform(0.075, 0.09), rng.uniform(0.04, 0.055)
    shade = lathe(
        [(wide, height * 0.55), (narrow, height), (narrow - 0.004, height), (0.0, height - 0.02)]
    )
    bulb = ellipsoid((0.024, 0.024, 0.03), (0, 0, height * 0.62))
    metal = _GREY if rng.random() < 0.5 else (70.0, 60.0, 55.0)
    return [
        Part(foot, Material(metal, gloss=0.5)),
        Part(shade, Material(jittered(color, rng), glow=0.35)),
        Part(bulb, Material((255.0, 245.0, 210.0), glow=1.0)),
    ]


_FRONT = 0.75

SPECS = (
    KindSpec("remote", _remote, ("black", "grey", "white"), max_turn_rad=2.2, accents=("red",)),
    KindSpec(
        "phone",
        _phone,
        ("black", "white", "pink"),
        nameable=False,
        accents=("blue", "green", "yellow"),
        size=1.1,
    ),
    KindSpec(
        "television",
        _television,
        ("black",),
        nameable=False,
        accents=("blue", "green", "orange"),
        max_turn_rad=_FRONT,
        size=0.86,
    ),
    KindSpec(
        "laptop",
        _laptop,
        ("grey", "white", "black"),
        nameable=False,
        accents=("blue", "black", "white", "grey"),
        max_turn_rad=_FRONT,
        size=0.88,
    ),
    KindSpec(
        "headphones",
        _headphones,
        ("black", "white", "red", "blue", "pink", "yellow"),
        accents=("black", "grey"),
        max_turn_rad=1.0,
    ),
    KindSpec(
        "lamp",
        _lamp,
        ("red", "yellow", "green", "blue", "white", "orange", "pink", "purple"),
        accents=("white", "grey", "yellow"),
        size=0.88,
    ),
)
