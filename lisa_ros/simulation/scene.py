"""A scene of parts, and rays cast into it with open3d's RaycastingScene (Embree, on the CPU)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import SimulationError
from lisa_ros.simulation.material import Material, Part
from lisa_ros.types import Float32Array, Float64Array

Int32Array = npt.NDArray[np.int32]


def load_open3d() -> ModuleType:
    """The open3d module, or SimulationError saying how to install it."""
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise SimulationError(
            f"Rendering rooms needs open3d, which cannot be imported ({error}). Install it with "
            "`pip install open3d-cpu` (or `open3d`), and its system libraries with "
            "`apt-get install libusb-1.0-0 libgl1 libegl1 libgomp1`. Stored rooms need neither."
        ) from error
    return open3d  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class PlacedParts:
    """The parts of one instance and its pose. instance: 0 for furniture, else the object's id."""

    instance: int
    parts: Sequence[Part]
    T_world_object: Float64Array

    def world_corners(self) -> list[Float32Array]:
        """f32[T,3,3] for each part, in the world."""
        turn = self.T_world_object[:3, :3].astype(np.float32).T
        offset = self.T_world_object[:3, 3].astype(np.float32)
        return [part.mesh.corners @ turn + offset for part in self.parts]


@dataclass(frozen=True, eq=False)
class Hits:
    """What N rays met.

    t: f32[N], inf for a miss. triangle: i32[N], -1 for a miss. uv: f32[N,2], barycentric.
    """

    t: Float32Array
    triangle: Int32Array
    uv: Float32Array


@dataclass(frozen=True, eq=False)
class CornerValues:
    """Vectors that vary linearly over triangles: f32[T,3] at a corner, and along two edges."""

    first: Float32Array
    along_u: Float32Array
    along_v: Float32Array

    @classmethod
    def of(cls, corners: Float32Array) -> CornerValues:
        """From the values f32[T,3,3] at the corners."""
        first = np.ascontiguousarray(corners[:, 0])
        return cls(first, corners[:, 1] - first, corners[:, 2] - first)

    def at(self, triangle: Int32Array, uv: Float32Array) -> Float32Array:
        """f32[N,3], the values at points of triangles."""
        value = self.along_u[triangle]
        value *= uv[:, :1]
        second = self.along_v[triangle]
        second *= uv[:, 1:]
        value += second
        value += self.first[triangle]
        return value


class Scene:
    """Triangles of all instances with what shading needs to know about each of them.

    part_of: i32[T] index into `materials`; instance_of: i32[T]. normals: in the world. local:
    points in the coordinates of their object.
    """

    def __init__(self, placed: Sequence[PlacedParts]) -> None:
        self.materials: list[Material] = []
        corners, normals, local, part_of, instance_of = [], [], [], [], []
        for item in placed:
            turn = item.T_world_object[:3, :3].astype(np.float32).T
            for part, world in zip(item.parts, item.world_corners(), strict=True):
                count = len(world)
                corners.append(world)
                normals.append(part.mesh.normals @ turn)
                local.append(part.mesh.corners)
                part_of.append(np.full(count, len(self.materials), np.int32))
                instance_of.append(np.full(count, item.instance, np.int32))
                self.materials.append(part.material)
        self.normals = CornerValues.of(np.concatenate(normals))
        self.local = CornerValues.of(np.concatenate(local))
        self.part_of = np.concatenate(part_of)
        self.instance_of = np.concatenate(instance_of)
        self._caster = Caster(np.concatenate(corners))

    def cast(self, origins: Float32Array, directions: Float32Array) -> Hits:
        """The first surface along each ray; f32[N,3] each, or one origin f32[3] for all."""
        return self._caster.cast(origins, directions)

    def occluded(self, origins: Float32Array, directions: Float32Array) -> np.ndarray[Any, Any]:
        """bool[N]: whether anything lies strictly between an origin and origin + direction."""
        return self._caster.occluded(origins, directions)


class Caster:
    """Embree's view of triangles f32[T,3,3]."""

    def __init__(self, corners: Float32Array) -> None:
        o3d = load_open3d()
        self._core = o3d.core
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        points = np.ascontiguousarray(corners.reshape(-1, 3), np.float32)
        index = np.arange(len(points), dtype=np.uint32).reshape(-1, 3)
        self._scene.add_triangles(self._core.Tensor(points), self._core.Tensor(index))

    def cast(self, origins: Float32Array, directions: Float32Array) -> Hits:
        """As `Scene.cast`."""
        found = self._scene.cast_rays(self._rays(origins, directions), nthreads=1)
        ids = found["primitive_ids"].numpy()
        t = found["t_hit"].numpy()
        triangle = np.where(np.isfinite(t), ids, 0).astype(np.int32)
        triangle[~np.isfinite(t)] = -1
        return Hits(t, triangle, found["primitive_uvs"].numpy())

    def occluded(self, origins: Float32Array, directions: Float32Array) -> np.ndarray[Any, Any]:
        """As `Scene.occluded`."""
        rays = self._rays(origins, directions)
        blocked = self._scene.test_occlusions(rays, tnear=1e-3, tfar=0.999, nthreads=1)
        return blocked.numpy()  # type: ignore[no-any-return]

    def _rays(self, origins: Float32Array, directions: Float32Array) -> Any:
        rays = np.empty((len(directions), 6), np.float32)
        rays[:, :3] = origins
        rays[:, 3:] = directions
        return self._core.Tensor(rays)
