"""From pixels and depth to 3D targets. numpy only; imports neither torch nor rclpy."""

from lisa_ros.geometry.depth import depth_noise_m, depth_to_metres
from lisa_ros.geometry.lifting import lift_mask
from lisa_ros.geometry.projection import deproject, pixel_rays, project, ray_grid

__all__ = [
    "deproject",
    "depth_noise_m",
    "depth_to_metres",
    "lift_mask",
    "pixel_rays",
    "project",
    "ray_grid",
]
