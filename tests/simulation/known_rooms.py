"""Rooms without a picture, whose contents a test lists."""

from __future__ import annotations

import numpy as np

from lisa_ros.simulation.room import Room, RoomObject
from lisa_ros.types import Intrinsics


def make_object(
    id_: int,
    kind: str,
    color: str | None = None,
    *,
    at_px: tuple[float, float] = (50.0, 50.0),
    at_m: tuple[float, float, float] = (0.0, 0.0, 1.0),
    visible_px: int = 400,
    occluded: float = 0.0,
    accents: tuple[str, ...] = (),
) -> RoomObject:
    """An object with the facts that language judges, without a picture."""
    return RoomObject(
        id=id_,
        kind=kind,
        color=color,
        accents=accents,
        scale=1.0,
        T_world_object=np.eye(4),
        visible_px=visible_px,
        occluded_fraction=occluded,
        cut_fraction=0.0,
        center_px=at_px if visible_px else None,
        position_m=at_m if visible_px else None,
    )


def make_room(*objects: RoomObject) -> Room:
    """A 100x100 room with these objects and an empty picture."""
    return Room(
        image=np.zeros((100, 100, 3), np.uint8),
        depth_m=np.ones((100, 100), np.float32),
        instances=np.zeros((100, 100), np.uint8),
        objects=objects,
        intrinsics=Intrinsics(100.0, 100.0, 49.5, 49.5, 100, 100),
        T_world_camera=np.eye(4),
        seed=0,
        preset="tabletop",
    )
