"""Where things stand: picks kinds, colours and poses for the preset `tabletop` and the camera over them."""

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
from lisa_ros.simulation.material import Part
from lisa_ros.simulation.mesh import rotation
from lisa_ros.simulation.scene import PlacedParts
from lisa_ros.simulation.shading import Light
from lisa_ros.types import Float64Array, Intrinsics

_COUNTS, _COUNT_SHARES = (5, 6, 7, 8), (0.2, 0.3, 0.3, 0.2)
_TWIN_SHARE, _LOOK_ALIKE_SHARE = 0.55, 0.5
_BEHIND_SHARE, _EDGE_SHARE = 0.62, 0.15
_PLACE_TRIES = 60
_GAP_M = 0.008


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


@dataclass(frozen=True, eq=False)
class _Footprint:
    """The oriented rectangle on the table that a thing needs."""

    center: Float64Array
    half: Float64Array
    yaw: float

    def corners(self, margin: float) -> Float64Array:
        half = self.half + margin
        turn = rotation("z", self.yaw)[:2, :2]
        local = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
        return local @ turn.T + self.center

    @property
    def reach(self) -> float:
        return float(np.hypot(*self.half))


def plan_tabletop(rng: np.random.Generator, intrinsics: Intrinsics) -> Plan:
    """Draw one room. At least four objects find room; the others are dropped when the table is full."""
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
    elevation = rng.uniform(0.42, 0.85)
    distance = rng.uniform(0.78, 1.0)
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
        self._taken: list[_Footprint] = []
        self.objects: list[PlannedObject] = []
        self.clutter: list[PlacedParts] = []

    def add_object(self, kind: str, color: str) -> None:
        """Place one object if a free spot is found."""
        spec = KINDS[kind]
        parts = spec.build(self._rng, color)
        scale = float(self._rng.uniform(0.88, 1.15))
        for _ in range(_PLACE_TRIES):
            center = self._draw_spot(parts, scale)
            to_camera = self._camera[:2, 3] - center
            yaw = np.arctan2(to_camera[0], -to_camera[1])
            yaw += self._rng.uniform(-spec.max_turn_rad, spec.max_turn_rad)
            footprint = _footprint(parts, center, yaw, scale)
            if not self._is_free(footprint, _GAP_M):
                continue
            placed = _place(len(self.objects) + 1, parts, footprint, scale)
            if self._share_in_view(placed) < 0.72:
                continue
            self._taken.append(footprint)
            self.objects.append(PlannedObject(kind, color, scale, placed))
            return

    def add_clutter(self, count: int) -> None:
        """Place up to `count` small plain things."""
        for _ in range(count):
            parts = build_clutter(self._rng)
            for _ in range(10):
                footprint = _footprint(
                    parts, self._draw_spot(parts, 1.0), self._rng.uniform(0, 6.3), 1.0
                )
                if self._is_free(footprint, _GAP_M):
                    self._taken.append(footprint)
                    self.clutter.append(_place(0, parts, footprint, 1.0))
                    break

    def _draw_spot(self, parts: list[Part], scale: float) -> Float64Array:
        """A point of the table: often just behind or before something, else anywhere in the picture."""
        chance = self._rng.random()
        if self._taken and chance < _BEHIND_SHARE:
            other = self._taken[int(self._rng.integers(len(self._taken)))]
            away = other.center - self._camera[:2, 3]
            away /= np.linalg.norm(away)
            sideways = np.array([-away[1], away[0]])
            size = _footprint(parts, other.center, 0.0, scale)
            gap = 0.55 * (size.reach + other.reach) * self._rng.uniform(0.9, 1.5) + 0.01
            side = 1.0 if self._rng.random() < 0.6 else -1.0
            shift = self._rng.uniform(-0.9, 0.9) * other.reach
            return np.asarray(other.center + side * gap * away + shift * sideways)
        width, height = self._intrinsics.width, self._intrinsics.height
        u = self._rng.uniform(0.06, 0.94) * width
        v = self._rng.uniform(0.18, 0.95) * height
        if chance > 1 - _EDGE_SHARE:
            u = (
                self._rng.choice([self._rng.uniform(0.01, 0.1), self._rng.uniform(0.9, 0.99)])
                * width
            )
        ray = ray_directions(self._intrinsics, self._camera, np.array([u]), np.array([v]))[0]
        if ray[2] > -0.05:
            return np.array([np.inf, np.inf])
        return np.asarray(self._camera[:2, 3] - ray[:2] * self._camera[2, 3] / ray[2], np.float64)

    def _is_free(self, footprint: _Footprint, gap: float) -> bool:
        if not np.isfinite(footprint.center).all():
            return False
        corners = footprint.corners(0.0)
        limit = np.array([TABLE_HALF_WIDTH_M, TABLE_BACK_M]) - 0.01
        if (corners > limit).any() or (corners < [-limit[0], TABLE_FRONT_M + 0.01]).any():
            return False
        return not any(_overlap(footprint, other, gap) for other in self._taken)

    def _share_in_view(self, placed: PlacedParts) -> float:
        points = np.concatenate([c.reshape(-1, 3) for c in placed.world_corners()]).astype(
            np.float64
        )
        u, v = project(self._intrinsics, self._camera, points).T
        width, height = self._intrinsics.width, self._intrinsics.height
        inside_u = max(0.0, min(u.max(), width) - max(u.min(), 0)) / (u.max() - u.min())
        inside_v = max(0.0, min(v.max(), height) - max(v.min(), 0)) / (v.max() - v.min())
        return float(inside_u * inside_v)


def _footprint(parts: list[Part], center: Float64Array, yaw: float, scale: float) -> _Footprint:
    flat = np.concatenate([part.mesh.corners.reshape(-1, 3)[:, :2] for part in parts])
    low, high = flat.min(axis=0) * scale, flat.max(axis=0) * scale
    turn = rotation("z", yaw)[:2, :2]
    return _Footprint(np.asarray(center + turn @ ((low + high) / 2)), (high - low) / 2, float(yaw))


def _place(instance: int, parts: list[Part], footprint: _Footprint, scale: float) -> PlacedParts:
    """Scaled parts whose rectangle coincides with `footprint`."""
    grown = [Part(part.mesh.scaled((scale,) * 3), part.material) for part in parts]
    flat = np.concatenate([part.mesh.corners.reshape(-1, 3)[:, :2] for part in grown])
    middle = (flat.min(axis=0) + flat.max(axis=0)) / 2
    pose = np.eye(4)
    pose[:3, :3] = rotation("z", footprint.yaw)
    pose[:2, 3] = footprint.center - pose[:2, :2] @ middle
    return PlacedParts(instance, grown, pose)


def _overlap(first: _Footprint, second: _Footprint, gap: float) -> bool:
    """Separating axis test of two rectangles, the first grown by `gap`."""
    if np.linalg.norm(first.center - second.center) > first.reach + second.reach + 2 * gap:
        return False
    a, b = first.corners(gap), second.corners(0.0)
    for yaw in (first.yaw, second.yaw):
        axes = rotation("z", yaw)[:2, :2]
        pa, pb = a @ axes, b @ axes
        if (pa.max(axis=0) < pb.min(axis=0)).any() or (pb.max(axis=0) < pa.min(axis=0)).any():
            return False
    return True
