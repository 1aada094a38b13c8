import numpy as np
import pytest

from lisa_ros.simulation.camera import CameraSpec, look_at, project, ray_directions
from lisa_ros.simulation.material import COLORS, Material, Part
from lisa_ros.simulation.mesh import box, ellipsoid
from lisa_ros.simulation.render import depth_of, instances_of, look, shade
from lisa_ros.simulation.scene import PlacedParts, Scene
from lisa_ros.simulation.shading import Light

CAMERA = CameraSpec(96, 64, 80.0).intrinsics()
FLOOR = PlacedParts(
    0, [Part(box((20, 20, 0.02), (0, 0, -0.01)), Material(COLORS["grey"]))], np.eye(4)
)


def pose(x: float, y: float, z: float) -> np.ndarray:
    T = np.eye(4)
    T[:3, 3] = (x, y, z)
    return T


def test_depth_of_a_plane_is_the_analytic_z_depth():
    T = look_at(np.array([0.1, -1.0, 0.8]), np.array([0.0, 0.0, 0.0]))
    depth = depth_of(look(Scene([FLOOR]), CAMERA, T))
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width]
    local = np.stack(
        [(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones_like(u)], -1
    )
    fall = (local @ T[:3, :3].T)[..., 2]
    expected = np.where(fall < -1e-3, -T[2, 3] / np.minimum(fall, -1e-3), np.inf)
    near = expected < 9.0
    np.testing.assert_allclose(depth[near], expected[near], rtol=1e-5)


def test_depth_and_instances_of_a_sphere_are_analytic_up_to_its_facets():
    radius, center = 0.2, np.array([0.05, 0.0, 0.3])
    ball = PlacedParts(
        5, [Part(ellipsoid((radius,) * 3, sides=64), Material(COLORS["red"]))], pose(*center)
    )
    T = look_at(np.array([0.0, -1.0, 0.5]), center)
    view = look(Scene([FLOOR, ball]), CAMERA, T)
    hit = instances_of(Scene([FLOOR, ball]), view) == 5
    direction = view.directions.reshape(CAMERA.height, CAMERA.width, 3).astype(float)
    to_center = center - T[:3, 3]
    a, b = (direction**2).sum(-1), direction @ to_center
    root = b**2 - a * (to_center @ to_center - radius**2)
    expected = (b - np.sqrt(np.maximum(root, 0))) / a
    assert abs(int(hit.sum()) - int((root > 0).sum())) <= 0.02 * hit.sum()
    inner = hit & (root > 0.05 * root.max())
    np.testing.assert_allclose(depth_of(view)[inner], expected[inner], atol=3e-3)


def test_projection_and_rays_are_inverse():
    T = look_at(np.array([0.3, -1.0, 0.8]), np.array([0.0, 0.1, 0.0]))
    u, v = np.array([3.0, 50.5, 95.0]), np.array([7.0, 31.0, 60.25])
    points = T[:3, 3] + 1.7 * ray_directions(CAMERA, T, u, v)
    np.testing.assert_allclose(project(CAMERA, T, points), np.stack([u, v], 1), atol=1e-3)


def test_the_camera_frame_is_optical_and_level():
    T = look_at(np.array([0.3, -1.0, 0.8]), np.array([0.0, 0.1, 0.0]))
    np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(T[:3, :3]) == pytest.approx(1.0)
    assert T[2, 0] == pytest.approx(0.0)  # x is horizontal
    assert T[2, 1] < 0  # y points down


def test_a_box_throws_its_shadow_away_from_the_lamp():
    block = PlacedParts(
        1, [Part(box((0.2, 0.2, 0.4), (0, 0, 0.2)), Material(COLORS["red"]))], np.eye(4)
    )
    scene = Scene([FLOOR, block])
    lamp = Light(np.array([-1.5, 0.0, 1.2]), np.ones(3), 0.7, 0.5, 0.05)
    T = look_at(np.array([0.0, -1.6, 1.5]), np.array([0.0, 0.0, 0.0]))
    image = shade(scene, look(scene, CAMERA, T), lamp).astype(float).mean(axis=2)
    (lit, shadowed) = (
        project(CAMERA, T, np.array([[-0.25, 0.0, 0.0], [0.22, 0.0, 0.0]])).round().astype(int)
    )
    assert image[shadowed[1], shadowed[0]] < 0.8 * image[lit[1], lit[0]]


def test_surfaces_keep_the_colour_of_their_material():
    T = look_at(np.array([0.0, -1.0, 1.0]), np.zeros(3))
    lamp = Light(np.array([0.3, -0.5, 1.6]), np.ones(3), 0.7, 0.55, 0.05)
    for name, rgb in COLORS.items():
        scene = Scene(
            [PlacedParts(0, [Part(box((9, 9, 0.1)), Material(rgb, gloss=0.0))], np.eye(4))]
        )
        seen = shade(scene, look(scene, CAMERA, T), lamp)[32, 48].astype(float)
        best = min(COLORS, key=lambda other: np.abs(seen - COLORS[other]).sum())
        assert best == name or name in ("white", "grey", "black"), (name, seen)
