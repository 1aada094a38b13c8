"""Textured discs before a grey wall, as an RGB-D camera would see them; the truth is analytic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lisa_ros.types import BoolArray, Intrinsics, RgbdFrame

HEIGHT, WIDTH = 96, 128
INTRINSICS = Intrinsics(120.0, 120.0, (WIDTH - 1) / 2, (HEIGHT - 1) / 2, WIDTH, HEIGHT)
WALL_M = 2.0
RED, BLUE = (205, 35, 35), (35, 35, 205)
V, U = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)


@dataclass(frozen=True)
class Disc:
    """u, v, radius in px; z_m its depth. Later ones in a list hide earlier ones."""

    u: float
    v: float
    radius: float = 14.0
    colour: tuple[int, int, int] = RED
    z_m: float = 1.0

    @property
    def mask(self) -> BoolArray:
        return (U - self.u) ** 2 + (V - self.v) ** 2 <= self.radius**2


def frame_of(discs: Sequence[Disc], seconds: float = 0.0, depth: bool = True) -> RgbdFrame:
    """The discs at a time; their texture, and the wall's, moves with them."""
    image = np.repeat(_texture(U, V)[..., None], 3, axis=2) + 128
    depth_m = np.full((HEIGHT, WIDTH), WALL_M, np.float32)
    for disc in discs:
        texture = _texture(U - disc.u, V - disc.v)[..., None]
        image[disc.mask] = (np.array(disc.colour) + texture)[disc.mask]
        depth_m[disc.mask] = disc.z_m
    return RgbdFrame(
        image=np.clip(image, 0, 255).astype(np.uint8),
        depth_m=depth_m if depth else None,
        intrinsics=INTRINSICS if depth else None,
        frame_id="camera",
        stamp_ns=round(seconds * 1e9),
    )


def _texture(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return 14 * np.sin(0.9 * u + 0.3 * v) + 14 * np.sin(0.8 * v - 0.25 * u)
