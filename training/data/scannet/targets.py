"""The 3D targets of 2D masks, in three frames, and how far they are from the annotated mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DatasetError
from lisa_ros.geometry.lifting import lift_mask
from lisa_ros.geometry.transforms import transform_target
from lisa_ros.types import BoolArray, NoDepth, Target3D
from training.data.scannet.annotated_mesh import AnnotatedMesh
from training.data.scannet.depth_view import DepthView
from training.data.scannet.pose import nearest_rigid
from training.data.scannet.triangle_distance import distance_to_triangles


@dataclass(frozen=True)
class FrameTarget:
    """One target in the depth camera's optical frame, the scan's world and the aligned world.

    It is the same point in all three; medians taken in each frame would be three points. world is
    None where tracking was lost, aligned also where no alignment is known.
    """

    camera: Target3D
    world: Target3D | None
    aligned: Target3D | None


def lift_color_mask(mask: BoolArray, view: DepthView) -> FrameTarget | NoDepth:
    """Lift a mask bool[H,W] at the size of the colour image, by the robot's own rule.

    The mask is taken to the depth pixels and lifted there with the depth camera: the colour
    camera's intrinsics do not belong to them.

    Raises:
        MaskError: the mask is not of the colour camera's size.

    """
    return _lift(view.on_depth_grid(mask), view)


def lift_instances(
    instances: npt.NDArray[np.int32], view: DepthView
) -> dict[int, FrameTarget | NoDepth]:
    """Lift every instance of an annotation i32[H,W] at the size of the colour image (0 is none).

    Raises:
        MaskError: the annotation is not of the colour camera's size.

    """
    on_depth = view.on_depth_grid(instances)
    values = np.unique(instances)
    return {value: _lift(on_depth == value, view) for value in values[values > 0].tolist()}


def mesh_distance_m(target: FrameTarget, mesh: AnnotatedMesh, instance: int) -> float:
    """Distance of a target's point to the surface of one object of its scan's mesh.

    A target is the per-axis median of visible points, so this is the error of depth, pose, mask and
    mesh, and for an object that shows several sides also how far that median is off all of them.

    Raises:
        DatasetError: the target has no world position, or the object no triangle.

    """
    if target.world is None:
        raise DatasetError(
            "The target has no position in the world: tracking was lost in its frame; measure "
            "frames with a pose only."
        )
    triangles = mesh.triangles_of(instance)
    if not len(triangles):
        raise DatasetError(
            f"Instance {instance} has no triangle in the annotated mesh; its number is the object "
            "id + 1 of the same scan's aggregation file."
        )
    return distance_to_triangles(target.world.position, triangles)


def _lift(mask: BoolArray, view: DepthView) -> FrameTarget | NoDepth:
    camera = lift_mask(mask, view.depth_m, view.depth_camera)
    if isinstance(camera, NoDepth):
        return camera
    if view.T_world_camera is None:
        return FrameTarget(camera, None, None)
    world = transform_target(nearest_rigid(view.T_world_camera), camera)
    if view.T_aligned_world is None:
        return FrameTarget(camera, world, None)
    return FrameTarget(camera, world, transform_target(nearest_rigid(view.T_aligned_world), world))
