"""From pixels and depth to 3D targets. numpy only; imports neither torch nor rclpy."""

from lisa_ros.geometry.camera import CameraInfo, CameraModel, RegionOfInterest, camera_model
from lisa_ros.geometry.depth import depth_noise_m, depth_to_metres
from lisa_ros.geometry.distortion import LensDistortion
from lisa_ros.geometry.lifting import lift_mask
from lisa_ros.geometry.projection import deproject, pixel_rays, project, ray_grid
from lisa_ros.geometry.registration import DepthRegistration, resample_depth, scaled_intrinsics
from lisa_ros.geometry.splitting import split_mask
from lisa_ros.geometry.transforms import (
    invert_transform,
    make_transform,
    matrix_to_quaternion,
    quaternion_to_matrix,
    surface_rotation,
    transform_covariance,
    transform_directions,
    transform_points,
    transform_target,
)

__all__ = [
    "CameraInfo",
    "CameraModel",
    "DepthRegistration",
    "LensDistortion",
    "RegionOfInterest",
    "camera_model",
    "deproject",
    "depth_noise_m",
    "depth_to_metres",
    "invert_transform",
    "lift_mask",
    "make_transform",
    "matrix_to_quaternion",
    "pixel_rays",
    "project",
    "quaternion_to_matrix",
    "ray_grid",
    "resample_depth",
    "scaled_intrinsics",
    "split_mask",
    "surface_rotation",
    "transform_covariance",
    "transform_directions",
    "transform_points",
    "transform_target",
]
