"""Rooms drawn by hand: plain blocks on grey, enough for the trainer and quick to make."""

from __future__ import annotations

import numpy as np

from lisa_ros.simulation.room import Room, RoomObject
from lisa_ros.types import Intrinsics

COLORS = {"red": (220, 30, 30), "blue": (40, 60, 220)}


def block_room(seed: int, height: int = 48, width: int = 64) -> Room:
    """A red mug and a blue ball, 12 px blocks at random places, 0.8 m in front of a wall at 1 m."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), 128, np.uint8)
    depth_m = np.ones((height, width), np.float32)
    instances = np.zeros((height, width), np.uint8)
    objects = []
    for number, (kind, color) in enumerate((("mug", "red"), ("ball", "blue")), start=1):
        top = int(rng.integers(0, height - 12))
        left = int(rng.integers(0, width // 2 - 12)) + (number - 1) * width // 2
        block = np.s_[top : top + 12, left : left + 12]
        image[block], depth_m[block], instances[block] = COLORS[color], 0.8, number
        objects.append(_block(number, kind, color, left + 5.5, top + 5.5))
    intrinsics = Intrinsics(60.0, 60.0, width / 2, height / 2, width, height)
    pose = np.eye(4)
    return Room(image, depth_m, instances, tuple(objects), intrinsics, pose, seed, "tabletop")


def _block(number: int, kind: str, color: str, u: float, v: float) -> RoomObject:
    return RoomObject(
        id=number,
        kind=kind,
        color=color,
        accents=(),
        scale=1.0,
        T_world_object=np.eye(4),
        visible_px=144,
        occluded_fraction=0.0,
        cut_fraction=0.0,
        center_px=(u, v),
        position_m=((u - 32) * 0.8 / 60, (v - 24) * 0.8 / 60, 0.8),
    )
