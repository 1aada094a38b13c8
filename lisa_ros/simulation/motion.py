"""Rooms in which something moves, rendered at any moment, with the truth of that moment.

For measuring how well targets are followed. Everything is a function of time, so that any frame
rate can be had; at 0 s it is the room of its seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from lisa_ros.errors import SimulationError
from lisa_ros.simulation.camera import CameraSpec, look_at
from lisa_ros.simulation.material import Material, Part
from lisa_ros.simulation.mesh import box, rotation
from lisa_ros.simulation.render import depth_of, instances_of, look, shade
from lisa_ros.simulation.room import plan_room
from lisa_ros.simulation.scene import PlacedParts, Scene
from lisa_ros.types import BoolArray, Float64Array, RgbdFrame, UInt8Array

Motion = Literal["still", "camera", "object", "occlusion", "away"]
MOTIONS: tuple[Motion, ...] = get_args(Motion)

FRAME_ID = "camera_color_optical_frame"

# One round of each motion, seconds; then it begins again.
PERIOD_S = 6.0
# The camera swings round the table by so much to either side, and comes nearer by such a share.
_SWING_RAD, _APPROACH = 0.35, 0.15
# The object is carried sideways by so much to either side, and up.
_SIDEWAYS_M, _UPWARDS_M = 0.14, 0.10
# The board passes at half the way to the object, from one side to the other.
_BOARD_SIZE_M, _BOARD_REACH_M = (0.26, 0.01, 0.34), 0.55
# More than the camera's view is wide, so that everything leaves it.
_TURN_RAD = 1.1


@dataclass(frozen=True, eq=False)
class Moment:
    """A frame and its truth. instances: u8[H,W], an object's id or 0, as in `Room`."""

    frame: RgbdFrame
    instances: UInt8Array
    T_world_camera: Float64Array

    def mask(self, target_id: int) -> BoolArray:
        """bool[H,W], the visible pixels of an object."""
        visible: BoolArray = self.instances == target_id
        return visible


class MovingRoom:
    """The room of a seed, with one motion about one of its objects.

    still: nothing moves. camera: it swings round the table and comes nearer. object: the target is
    carried about. occlusion: a board passes between camera and target and hides it for a while.
    away: the camera turns until the target is out of view, and back. Only the light does not move.
    """

    def __init__(
        self, seed: int, target_id: int, motion: Motion, camera: CameraSpec | None = None
    ) -> None:
        """target_id: an object's id. Raises SimulationError as `generate_room`, or for neither."""
        if motion not in MOTIONS:
            raise SimulationError(f"Unknown motion {motion!r}; choose one of {', '.join(MOTIONS)}.")
        self._plan, self.room = plan_room(seed, camera=camera)
        if target_id not in {item.id for item in self.room.objects}:
            raise SimulationError(
                f"The room of seed {seed} has no object {target_id}; its objects are "
                f"1..{len(self.room.objects)}."
            )
        self.target_id = target_id
        self.motion: Motion = motion

    def at(self, seconds: float) -> Moment:
        """Render the frame at a time (s, from 0); its depth is the true one."""
        phase = 2 * np.pi * seconds / PERIOD_S
        scene, pose = self._scene_at(phase), self._camera_at(phase)
        view = look(scene, self.room.intrinsics, pose)
        frame = RgbdFrame(
            image=shade(scene, view, self._plan.light),
            depth_m=depth_of(view),
            intrinsics=self.room.intrinsics,
            frame_id=FRAME_ID,
            stamp_ns=round(seconds * 1e9),
        )
        return Moment(frame, instances_of(scene, view), pose)

    @cached_property
    def _still_scene(self) -> Scene:
        return Scene([*self._plan.furniture, *(item.placed for item in self._plan.objects)])

    @cached_property
    def _target(self) -> PlacedParts:
        placed = (item.placed for item in self._plan.objects)
        return next(item for item in placed if item.instance == self.target_id)

    @cached_property
    def _target_centre(self) -> Float64Array:
        """f64[3] m in the world, of the bounds of the target where it stands."""
        points = np.concatenate(self._target.world_corners()).reshape(-1, 3)
        middle: Float64Array = (points.min(axis=0) + points.max(axis=0)).astype(np.float64) / 2
        return middle

    def _scene_at(self, phase: float) -> Scene:
        if self.motion == "object":
            moved = PlacedParts(self.target_id, self._target.parts, self._carried(phase))
            others = (item.placed for item in self._plan.objects if item.placed is not self._target)
            return Scene([*self._plan.furniture, moved, *others])
        if self.motion == "occlusion":
            objects = (item.placed for item in self._plan.objects)
            return Scene([*self._plan.furniture, *objects, self._board(phase)])
        return self._still_scene

    def _camera_at(self, phase: float) -> Float64Array:
        start = self._plan.T_world_camera
        eye, forward = start[:3, 3], start[:3, 2]
        if self.motion == "away":
            # To the side where the target is not; turning left is positive.
            side = 1.0 if (self._target_centre - eye) @ start[:3, 0] > 0 else -1.0
            return look_at(eye, eye + _turned(forward, side * _TURN_RAD * np.sin(phase / 2) ** 2))
        if self.motion == "camera":
            # The axis of the swing goes through the point of the table that the camera looks at.
            centre = eye - forward * eye[2] / forward[2]
            from_centre = _turned(eye - centre, _SWING_RAD * np.sin(phase))
            nearer = 1 - _APPROACH * np.sin(phase / 2) ** 2
            return look_at(centre + nearer * from_centre, centre)
        return start

    def _carried(self, phase: float) -> Float64Array:
        pose = self._target.T_world_object.copy()
        right = self._plan.T_world_camera[:3, 0]
        pose[:3, 3] += _SIDEWAYS_M * np.sin(phase) * right
        pose[2, 3] += _UPWARDS_M * np.sin(phase / 2) ** 2
        return pose

    def _board(self, phase: float) -> PlacedParts:
        camera = self._plan.T_world_camera
        pose = np.eye(4)
        # Upright before the camera: the box is thin along y, which looks at it.
        pose[:3, :3] = np.column_stack([camera[:3, 0], camera[:3, 2], -camera[:3, 1]])
        aside = _BOARD_REACH_M * np.cos(phase / 2) * camera[:3, 0]
        pose[:3, 3] = (camera[:3, 3] + self._target_centre) / 2 + aside
        board = Part(box(_BOARD_SIZE_M), Material((170.0, 172.0, 168.0), gloss=0.0))
        return PlacedParts(0, [board], pose)


def _turned(vector: Float64Array, angle_rad: float) -> Float64Array:
    """Turn a vector f64[3] about the world's vertical."""
    turned: Float64Array = rotation("z", angle_rad) @ vector
    return turned
