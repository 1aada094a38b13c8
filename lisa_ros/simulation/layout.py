"""Draws the preset `tabletop`: kinds, colours, poses, light, and the camera over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lisa_ros.simulation.camera import look_at, project, ray_directions
from lisa_ros.simulation.furniture import (
    TABLE_BACK_M,
    TABLE_FRONT_M,
    TABLE_HALF_WIDTH_M,
    build_clutter,
    build_surroundings,
)
from lisa_ros.simulation.kinds import KINDS, LOOK_ALIKES
from lisa_ros.simulation.placement import Footprint, Thing
from lisa_ros.simulation.scene import PlacedParts
from lisa_ros.simulation.shading import Light
from lisa_ros.types import Float64Array, Intrinsics

_COUNTS, _COUNT_SHARES = (5, 6, 7, 8), (0.15, 0.25, 0.3, 0.3)
_TWIN_SHARE, _LOOK_ALIKE_SHARE = 0.55, 0.5
_BESIDE_SHARE, _EDGE_SHARE = 0.82, 0.4
_TALL_IN_FRONT_SHARE = 0.75
_PLACE_TRIES = 60
_MIN_IN_VIEW = 0.68
_GAP_M = 0.008
_MARGIN_M = 0.01
_TABLE_LOW = np.array([-TABLE_HALF_WIDTH_M, TABLE_FRONT_M]) + _MARGIN_M
_TABLE_HIGH = np.array([TABLE_HALF_WIDTH_M, TABLE_BACK_M]) - _MARGIN_M


@dataclass(frozen=True, eq=False)
class PlannedObject:
    """An object before it is seen. color: its main colour. scale: factor on its usual size."""

    kind: str
    color: str
    scale: float
    placed: PlacedParts


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that a room consists of, in the world (z up, table top at z = 0)."""

    objects: tuple[PlannedObject, ...]
    furniture: tuple[PlacedParts, ...]
    T_world_camera: Float64Array
    light: Light


def plan_tabletop(rng: np.random.Generator, intrinsics: Intrinsics) -> Plan:
    """Draw one room. Objects for which the table has no free spot are left out."""
    T_world_camera = _draw_camera_pose(rng)
    planner = _Planner(rng, intrinsics, T_world_camera)
    kinds = _draw_kinds(rng)
    taken: set[tuple[str, str]] = set()
    for kind in kinds:
        colors = [c for c in KINDS[kind].colors if (kind, c) not in taken] or list(
            KINDS[kind].colors
        )
        color = colors[int(rng.integers(len(colors)))]
        taken.add((kind, color))
        planner.add_object(kind, color)
    planner.add_clutter(int(rng.integers(0, 4)))
    surroundings = PlacedParts(0, build_surroundings(rng), np.eye(4))
    return Plan(
        tuple(planner.objects),
        (surroundings, *planner.clutter),
        T_world_camera,
        _draw_light(rng),
    )


def _draw_kinds(rng: np.random.Generator) -> list[str]:
    count = int(rng.choice(_COUNTS, p=_COUNT_SHARES))
    kinds = [str(kind) for kind in rng.permutation(list(KINDS))[:count]]
    if rng.random() < _LOOK_ALIKE_SHARE:
        pair = LOOK_ALIKES[int(rng.integers(len(LOOK_ALIKES)))]
        kinds[:2] = pair
        kinds = list(dict.fromkeys(kinds))
    recolourable = [kind for kind in kinds if len(KINDS[kind].colors) > 2 and KINDS[kind].nameable]
    if recolourable and rng.random() < _TWIN_SHARE:
        kinds[-1] = recolourable[int(rng.integers(len(recolourable)))]
    return [str(kind) for kind in rng.permutation(kinds)]


def _draw_camera_pose(rng: np.random.Generator) -> Float64Array:
    azimuth = rng.uniform(-0.55, 0.55)
    elevation = rng.uniform(0.35, 0.66)
    distance = rng.uniform(0.84, 1.04)
    target = np.array([rng.uniform(-0.12, 0.12), rng.uniform(-0.10, 0.06), rng.uniform(0.02, 0.08)])
    flat = np.cos(elevation)
    direction = np.array([flat * np.sin(azimuth), -flat * np.cos(azimuth), np.sin(elevation)])
    return look_at(target + distance * direction, target)


def _draw_light(rng: np.random.Generator) -> Light:
    position = np.array([rng.uniform(-1.3, 1.3), rng.uniform(-1.3, 0.2), rng.uniform(1.2, 1.9)])
    warmth = rng.uniform(-0.05, 0.07)
    return Light(
        position,
        tint=np.array([1.0 + warmth, 1.0, 1.0 - warmth]),
        strength=float(rng.uniform(0.55, 0.80)),
        ambient=float(rng.uniform(0.50, 0.66)),
        radius_m=float(rng.uniform(0.05, 0.16)),
    )


class _Planner:
    """Puts things on the table one by one, without collisions, mostly inside the picture."""

    def __init__(
        self, rng: np.random.Generator, intrinsics: Intrinsics, T_world_camera: Float64Array
    ) -> None:
        self._rng = rng
        self._intrinsics = intrinsics
        self._camera = T_world_camera
        self._taken: list[Footprint] = []
        self.objects: list[PlannedObject] = []
        self.clutter: list[PlacedParts] = []

    def add_object(self, kind: str, color: str) -> None:
        """Place one object if a free spot is found."""
        spec = KINDS[kind]
        variation = float(self._rng.uniform(0.88, 1.15))
        thing = Thing.of(spec.build(self._rng, color), spec.size * variation)
        for _ in range(_PLACE_TRIES):
            center = self._draw_spot(thing)
            if center is None:
                continue
            to_camera = self._camera[:2, 3] - center
            yaw = float(np.arctan2(to_camera[0], -to_camera[1]))
            yaw += self._rng.uniform(-spec.max_turn_rad, spec.max_turn_rad)
            footprint = thing.standing(center, yaw)
            if self._is_free(footprint) and self._share_in_view(footprint) >= _MIN_IN_VIEW:
                self._taken.append(footprint)
                placed = thing.placed(len(self.objects) + 1, footprint)
                self.objects.append(PlannedObject(kind, color, variation, placed))
                return

    def add_clutter(self, count: int) -> None:
        """Place up to `count` small plain things."""
        for _ in range(count):
            thing = Thing.of(build_clutter(self._rng), 1.0)
            center = self._draw_spot(thing)
            if center is None:
                continue
            footprint = thing.standing(center, self._rng.uniform(0.0, 2 * np.pi))
            if self._is_free(footprint):
                self._taken.append(footprint)
                self.clutter.append(thing.placed(0, footprint))

    def _draw_spot(self, thing: Thing) -> Float64Array | None:
        """A point f64[2] of the table, often beside something; None above the horizon."""
        if self._taken and self._rng.random() < _BESIDE_SHARE:
            return self._spot_beside(thing, self._taken[int(self._rng.integers(len(self._taken)))])
        u, v = self._rng.uniform(0.06, 0.94), self._rng.uniform(0.20, 0.93)
        if self._rng.random() < _EDGE_SHARE:
            u = self._rng.uniform(0.01, 0.10)
            u = 1.0 - u if self._rng.random() < 0.5 else u
        pixel = np.array([u * self._intrinsics.width]), np.array([v * self._intrinsics.height])
        ray = ray_directions(self._intrinsics, self._camera, *pixel)[0].astype(np.float64)
        if ray[2] > -0.05:
            return None
        eye = self._camera[:3, 3]
        return np.asarray(eye[:2] - ray[:2] * eye[2] / ray[2])

    def _spot_beside(self, thing: Thing, other: Footprint) -> Float64Array:
        """A point behind or before `other` in the camera's view, so that one may hide the other."""
        away = other.center - self._camera[:2, 3]
        away /= np.linalg.norm(away)
        sideways = np.array([-away[1], away[0]])
        gap = self._rng.uniform(0.55, 1.0) * (thing.reach + other.reach)
        shift = self._rng.uniform(-0.7, 0.7) * other.reach
        # The taller one usually stands in front: it is what hides the other.
        taller = thing.height > other.height
        side = -1.0 if taller == (self._rng.random() < _TALL_IN_FRONT_SHARE) else 1.0
        return np.asarray(other.center + side * gap * away + shift * sideways)

    def _is_free(self, footprint: Footprint) -> bool:
        low, high = footprint.corners.min(axis=0), footprint.corners.max(axis=0)
        if (high > _TABLE_HIGH).any() or (low < _TABLE_LOW).any():
            return False
        return not any(footprint.overlaps(other, _GAP_M) for other in self._taken)

    def _share_in_view(self, footprint: Footprint) -> float:
        """The share of the projected bounding box inside the image."""
        levels = ((0.0,) * 4, (footprint.height,) * 4)
        points = np.concatenate([np.column_stack([footprint.corners, z]) for z in levels])
        pixels = project(self._intrinsics, self._camera, points)
        size = np.array([self._intrinsics.width, self._intrinsics.height])
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        inside = np.maximum(np.minimum(high, size) - np.maximum(low, 0), 0) / (high - low)
        return float(inside.prod())
