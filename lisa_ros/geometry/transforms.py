"""Rigid transforms of points, directions, covariances and targets between frames.

T_a_b is f64[4,4] and maps coordinates in frame b to coordinates in frame a (b's pose in a), so that
T_a_c = T_a_b @ T_b_c. Quaternions are f64[4] in ROS order (x, y, z, w). Lengths in metres.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from lisa_ros.errors import TransformError
from lisa_ros.types import Float64Array, OrientedBox, Target3D

_RIGID_TOLERANCE = 1e-6
_PARALLEL = 1e-6


def quaternion_to_matrix(quaternion: Float64Array) -> Float64Array:
    """Give the rotation f64[3,3] of a quaternion (x, y, z, w) of any length but zero.

    Raises TransformError for zero length or NaN.
    """
    quaternion = np.asarray(quaternion, np.float64)
    norm = float(np.linalg.norm(quaternion))
    if quaternion.shape != (4,) or not np.isfinite(norm) or norm < 1e-9:
        raise TransformError(
            f"got quaternion {quaternion.tolist()}, expected four finite numbers (x, y, z, w) that "
            "are not all zero; fill in the rotation (identity is 0 0 0 1)"
        )
    x, y, z, w = quaternion / norm
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def matrix_to_quaternion(rotation: Float64Array) -> Float64Array:
    """Give the unit quaternion f64[4] (x, y, z, w), w >= 0, of a rotation f64[3,3].

    As the eigenvector of the largest eigenvalue of Bar-Itzhack's matrix ("New method for extracting
    the quaternion from a rotation matrix", 2000): no case distinctions, and for a matrix that is a
    little off the nearest rotation. Raises TransformError for what is no rotation.
    """
    _check_rotation(rotation)
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation.tolist()
    matrix = np.array(
        [
            [xx - yy - zz, xy + yx, xz + zx, zy - yz],
            [xy + yx, yy - xx - zz, yz + zy, xz - zx],
            [xz + zx, yz + zy, zz - xx - yy, yx - xy],
            [zy - yz, xz - zx, yx - xy, xx + yy + zz],
        ]
    )
    quaternion: Float64Array = np.linalg.eigh(matrix)[1][:, -1]
    return -quaternion if quaternion[3] < 0 else quaternion


def make_transform(translation: Float64Array, quaternion: Float64Array) -> Float64Array:
    """Give T_a_b f64[4,4] from b's pose in a: translation f64[3] m, quaternion (x, y, z, w).

    Raises TransformError for numbers that are not finite, or a quaternion of zero length.
    """
    if not np.isfinite(translation).all():
        raise TransformError(
            f"got translation {np.asarray(translation).tolist()}, expected three finite numbers in "
            "metres; look at what publishes this transform"
        )
    T_a_b = np.eye(4)
    T_a_b[:3, :3] = quaternion_to_matrix(quaternion)
    T_a_b[:3, 3] = translation
    return T_a_b


def invert_transform(T_a_b: Float64Array) -> Float64Array:
    """Give T_b_a, exactly rigid."""
    T_b_a = np.eye(4)
    T_b_a[:3, :3] = T_a_b[:3, :3].T
    T_b_a[:3, 3] = -T_a_b[:3, :3].T @ T_a_b[:3, 3]
    return T_b_a


def transform_points(T_a_b: Float64Array, points: Float64Array) -> Float64Array:
    """Map points f64[...,3] m from b to a."""
    mapped: Float64Array = points @ T_a_b[:3, :3].T + T_a_b[:3, 3]
    return mapped


def transform_directions(T_a_b: Float64Array, directions: Float64Array) -> Float64Array:
    """Map directions f64[...,3] from b to a: rotated, not moved."""
    mapped: Float64Array = directions @ T_a_b[:3, :3].T
    return mapped


def transform_covariance(T_a_b: Float64Array, covariance: Float64Array) -> Float64Array:
    """Map a covariance f64[3,3] m² of a position from b to a. T_a_b itself counts as exact."""
    rotation = T_a_b[:3, :3]
    mapped: Float64Array = rotation @ covariance @ rotation.T
    return mapped


def transform_target(T_target_camera: Float64Array, target: Target3D) -> Target3D:
    """Give the same target in another frame (`target_frame`), in metres.

    extent becomes that of the oriented box along the new frame's axes, since the points are gone.
    Raises TransformError where T_target_camera f64[4,4] is not rigid.
    """
    T_target_camera = np.asarray(T_target_camera, np.float64)
    if T_target_camera.shape != (4, 4) or not np.allclose(T_target_camera[3], [0, 0, 0, 1]):
        raise TransformError(
            f"got a transform of shape {T_target_camera.shape}, expected f64[4,4] with last row "
            "0 0 0 1; build it with make_transform"
        )
    _check_rotation(T_target_camera[:3, :3])
    box = OrientedBox(
        center=transform_points(T_target_camera, target.box.center),
        rotation=T_target_camera[:3, :3] @ target.box.rotation,
        size=target.box.size,
    )
    return dataclasses.replace(
        target,
        position=transform_points(T_target_camera, target.position),
        covariance=transform_covariance(T_target_camera, target.covariance),
        extent=np.abs(box.rotation) @ box.size,
        box=box,
        normal=transform_directions(T_target_camera, target.normal),
    )


def surface_rotation(target: Target3D) -> Float64Array:
    """Give the orientation of `target_pose`, f64[3,3] with the axes as columns, right-handed.

    z: the surface normal, out of the object, towards the camera: a gripper comes along −z. x: the
    long axis of the oriented box laid into the surface, so that a parallel gripper closes along y.
    A box has no front: x is the direction whose largest component is positive.
    """
    z = target.normal / np.linalg.norm(target.normal)
    for axis in (*target.box.rotation.T, *np.eye(3)):
        x = axis - (axis @ z) * z
        if np.linalg.norm(x) > _PARALLEL:  # the long axis itself may be the normal
            break
    x = x / np.linalg.norm(x)
    if x[np.argmax(np.abs(x))] < 0:
        x = -x
    return np.column_stack([x, np.cross(z, x), z])


def _check_rotation(rotation: Float64Array) -> None:
    rotation = np.asarray(rotation)
    if (
        rotation.shape != (3, 3)
        or not np.allclose(rotation @ rotation.T, np.eye(3), atol=_RIGID_TOLERANCE)
        or np.linalg.det(rotation) < 0
    ):
        raise TransformError(
            f"got {rotation.tolist()}, expected a right-handed rotation matrix f64[3,3]; check the "
            "transform for scale, mirroring or NaN"
        )
