"""A simulated RGB-D look at a room, with its ground truth.

`generate_room` is a pure function of its arguments: the same seed gives the same room.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import SimulationError
from lisa_ros.simulation.camera import CameraSpec, draw_camera, project, ray_directions
from lisa_ros.simulation.kinds import KINDS
from lisa_ros.simulation.layout import Plan, PlannedObject, plan_tabletop
from lisa_ros.simulation.render import View, depth_of, instances_of, look, shade
from lisa_ros.simulation.scene import Caster, Scene
from lisa_ros.types import BoolArray, Float32Array, Float64Array, Intrinsics, UInt8Array

PRESETS = ("tabletop",)

# An object that shows less than this is too little seen to be asked for.
MIN_TARGET_PX = 40
MAX_OCCLUDED_FRACTION = 0.70
MAX_CUT_FRACTION = 0.50
MIN_TARGETS = 4
_ATTEMPTS = 50


@dataclass(frozen=True, eq=False)
class RoomObject:
    """One object and what can be seen of it.

    id: its value in `Room.instances`, 1..N. kind: a key of `kinds.KINDS`. color: the colour that
    people would call it by, or None where it has no such single colour. accents: colours that one
    may argue it has. scale: factor on the usual size of its kind. T_world_object: f64[4,4], object
    coordinates (z up, standing on z = 0, front towards -y) to the world, metres. visible_px: pixels
    of its mask. occluded_fraction: share of its silhouette inside the image that other things hide.
    cut_fraction: share of its silhouette outside the image. center_px: (u, v) mean of its visible
    pixels. position_m: per-axis median of its visible surface points in the camera optical frame;
    both are None when nothing of it is visible. is_target: whether language may refer to it (enough
    of it is visible).
    """

    id: int
    kind: str
    color: str | None
    accents: tuple[str, ...]
    scale: float
    T_world_object: Float64Array
    visible_px: int
    occluded_fraction: float
    cut_fraction: float
    center_px: tuple[float, float] | None
    position_m: tuple[float, float, float] | None

    @property
    def is_target(self) -> bool:
        """Whether enough of the object is visible to ask for it."""
        return (
            self.visible_px >= MIN_TARGET_PX
            and self.occluded_fraction <= MAX_OCCLUDED_FRACTION
            and self.cut_fraction <= MAX_CUT_FRACTION
        )


@dataclass(frozen=True, eq=False)
class Room:
    """One look at a room, without sensor noise (see `noise`).

    image: u8[H,W,3] RGB. depth_m: f32[H,W] true z-depth. instances: u8[H,W], an object's id or 0
    for furniture and clutter. T_world_camera: f64[4,4], camera optical frame to the world (z up).
    """

    image: UInt8Array
    depth_m: Float32Array
    instances: UInt8Array
    objects: tuple[RoomObject, ...]
    intrinsics: Intrinsics
    T_world_camera: Float64Array
    seed: int
    preset: str

    @property
    def targets(self) -> tuple[RoomObject, ...]:
        """The objects that language may refer to."""
        return tuple(item for item in self.objects if item.is_target)

    def mask(self, ids: Iterable[int]) -> BoolArray:
        """bool[H,W], the visible pixels of the objects `ids`."""
        return np.isin(self.instances, list(ids))


def generate_room(seed: int, preset: str = "tabletop", camera: CameraSpec | None = None) -> Room:
    """Render the room of `seed`; without `camera` the seed also draws a square, 4:3 or 16:9 one.

    Raises SimulationError for an unknown preset, a negative seed, an unusable camera, or when
    open3d is missing.
    """
    return plan_room(seed, preset, camera)[1]


def plan_room(
    seed: int, preset: str = "tabletop", camera: CameraSpec | None = None
) -> tuple[Plan, Room]:
    """As `generate_room`, with what the room was made of, so that things in it can be moved."""
    if preset not in PRESETS:
        raise SimulationError(f"Unknown preset {preset!r}; expected one of {', '.join(PRESETS)}.")
    if seed < 0:
        raise SimulationError(f"The seed is {seed}; expected 0 or more.")
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([seed, attempt])
        intrinsics = (camera or draw_camera(rng)).intrinsics()
        plan = plan_tabletop(rng, intrinsics)
        scene = Scene([*plan.furniture, *(item.placed for item in plan.objects)])
        view = look(scene, intrinsics, plan.T_world_camera)
        objects = _observe(plan, scene, view)
        if sum(item.is_target for item in objects) >= MIN_TARGETS:
            return plan, Room(
                image=shade(scene, view, plan.light),
                depth_m=depth_of(view),
                instances=instances_of(scene, view),
                objects=objects,
                intrinsics=intrinsics,
                T_world_camera=plan.T_world_camera,
                seed=seed,
                preset=preset,
            )
    raise SimulationError(
        f"Seed {seed} gave no room with {MIN_TARGETS} visible objects in {_ATTEMPTS} attempts; "
        f"try another seed or a camera that sees more than {camera}."
    )


def _observe(plan: Plan, scene: Scene, view: View) -> tuple[RoomObject, ...]:
    instances = instances_of(scene, view)
    return tuple(_observe_one(item, view, instances, depth_of(view)) for item in plan.objects)


def _observe_one(
    item: PlannedObject, view: View, instances: UInt8Array, depth_m: Float32Array
) -> RoomObject:
    spec = KINDS[item.kind]
    rows, columns = np.nonzero(instances == item.placed.instance)
    inside, total = _silhouette_px(item, view)
    center = position = None
    if len(rows):
        center = (float(columns.mean()), float(rows.mean()))
        z = depth_m[rows, columns].astype(np.float64)
        x = (columns - view.intrinsics.cx) / view.intrinsics.fx * z
        y = (rows - view.intrinsics.cy) / view.intrinsics.fy * z
        position = (float(np.median(x)), float(np.median(y)), float(np.median(z)))
    accents = spec.accents if spec.nameable else (*spec.accents, item.color)
    return RoomObject(
        id=item.placed.instance,
        kind=item.kind,
        color=item.color if spec.nameable else None,
        accents=tuple(dict.fromkeys(accents)),
        scale=item.scale,
        T_world_object=item.placed.T_world_object,
        visible_px=len(rows),
        occluded_fraction=1.0 - len(rows) / max(inside, 1),
        cut_fraction=1.0 - inside / max(total, 1),
        center_px=center,
        position_m=position,
    )


def _silhouette_px(item: PlannedObject, view: View) -> tuple[int, int]:
    """Pixels that the object alone would cover: (inside the image, also beyond its borders)."""
    corners = np.concatenate(item.placed.world_corners())
    pixels = project(
        view.intrinsics, view.T_world_camera, corners.reshape(-1, 3).astype(np.float64)
    )
    low = np.floor(pixels.min(axis=0)).astype(int)
    high = np.ceil(pixels.max(axis=0)).astype(int)
    v, u = np.mgrid[low[1] : high[1] + 1, low[0] : high[0] + 1].astype(np.float32)
    u, v = u.ravel(), v.ravel()
    directions = ray_directions(view.intrinsics, view.T_world_camera, u, v)
    covered: npt.NDArray[np.bool_] = Caster(corners).cast(view.origin, directions).triangle >= 0
    framed = (u >= 0) & (u < view.intrinsics.width) & (v >= 0) & (v < view.intrinsics.height)
    return int((covered & framed).sum()), int(covered.sum())
