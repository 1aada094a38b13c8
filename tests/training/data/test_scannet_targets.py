"""3D targets of 2D masks: ScanNet's reader as oracle, and rooms whose answer is known."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sens_writer import LOST, raw_record, write_sens

from lisa_ros.errors import DatasetError, MaskError
from lisa_ros.geometry.projection import deproject
from lisa_ros.geometry.transforms import transform_points
from lisa_ros.types import Intrinsics, NoDepth
from training.data.scannet.depth_view import DepthView, color_from_depth, view_of_recorded
from training.data.scannet.frames_25k import Frames25kScan
from training.data.scannet.labels import TABLE_NAME, read_labels
from training.data.scannet.recorded_frames import RecordedFrames
from training.data.scannet.scan import ScanFolder
from training.data.scannet.sens import SensReader
from training.data.scannet.targets import (
    FrameTarget,
    lift_color_mask,
    lift_instances,
    mesh_distance_m,
)
from training.data.scannet.triangle_distance import distance_to_triangles

FIXTURES = Path(__file__).parent / "fixtures" / "scannet"
EXPECTED = json.loads((FIXTURES / "expected_scan.json").read_text())
SCAN = ScanFolder(FIXTURES / "scans" / "scene9000_00")


def recorded(number: int) -> tuple[DepthView, np.ndarray]:
    """A frame's view, and its instances at the size of the colour image."""
    with SCAN.open_sens() as reader, SCAN.open_projection("instance") as projection:
        view = view_of_recorded(reader.header, reader[number], SCAN.meta.T_aligned_world)
        return view, projection.read(number, (64, 48))


@pytest.mark.parametrize(
    "expected", EXPECTED["lifts"], ids=lambda e: f"{e['frame']}-{e['objectId']}"
)
def test_pixels_and_points_as_the_oracle_has_them(expected: dict) -> None:
    view, instances = recorded(expected["frame"])
    mask = instances == expected["instance_value"]
    assert np.count_nonzero(mask) == expected["n_color_mask_pixels"]
    used = view.on_depth_grid(mask) & np.isfinite(view.depth_m)
    assert np.count_nonzero(used) == expected["n_depth_pixels_used"]
    assert view.T_world_camera is not None
    points = deproject(view.depth_m, view.depth_camera)[used].astype(np.float64)
    world = transform_points(view.T_world_camera, points)
    np.testing.assert_allclose(
        np.median(points, axis=0), expected["median_point_camera"], atol=1.1e-5
    )
    np.testing.assert_allclose(
        np.median(world, axis=0), expected["median_point_world"], atol=1.1e-5
    )
    low, high = np.array(expected["true_box_min"]), np.array(expected["true_box_max"])
    outside = np.maximum(0, np.maximum(low - world, world - high)).max(axis=1)
    assert outside.max() == pytest.approx(expected["max_distance_outside_true_box_m"], abs=1e-4)
    assert np.percentile(outside, 95) == pytest.approx(expected["p95_outside_m"], abs=1e-4)


@pytest.mark.parametrize("number", [0, 2])
def test_every_instance_gets_its_target_near_its_mesh(number: int) -> None:
    view, instances = recorded(number)
    mesh = SCAN.mesh()
    targets = lift_instances(instances, view)
    assert list(targets) == [1, 2, 3, 4]
    for value, target in targets.items():
        assert isinstance(target, FrameTarget)
        assert target.world is not None
        assert target.aligned is not None
        assert view.T_world_camera is not None
        np.testing.assert_allclose(
            target.world.position,
            transform_points(view.T_world_camera, target.camera.position),
            atol=1e-5,
        )
        np.testing.assert_allclose(
            target.aligned.position,
            transform_points(SCAN.meta.T_aligned_world, target.world.position),
            atol=1e-5,
        )
        # Not zero: per-axis medians of a slanted or two-sided surface lie off it, the more the
        # larger it is (wall and floor are 1 and 2).
        assert mesh_distance_m(target, mesh, value) < (0.1 if value < 3 else 0.05)
        alone = lift_color_mask(instances == value, view)
        assert isinstance(alone, FrameTarget)
        np.testing.assert_array_equal(alone.camera.position, target.camera.position)
    floor = targets[2]
    assert isinstance(floor, FrameTarget)
    assert floor.world is not None
    np.testing.assert_allclose(floor.world.normal, [0, 0, 1], atol=0.01)


def test_a_lost_pose_leaves_the_camera_frame() -> None:
    view, instances = recorded(0)
    lost = dataclasses.replace(view, T_world_camera=None)
    target = lift_color_mask(instances == 3, lost)
    assert isinstance(target, FrameTarget)
    assert target.world is None
    assert target.aligned is None
    with pytest.raises(DatasetError, match="tracking was lost"):
        mesh_distance_m(target, SCAN.mesh(), 3)
    blind = dataclasses.replace(view, depth_m=np.full_like(view.depth_m, np.nan))
    assert isinstance(lift_color_mask(instances == 3, blind), NoDepth)
    with pytest.raises(MaskError, match="48, 64"):
        lift_color_mask((instances == 3)[:-1], view)


def test_an_object_without_triangles_has_no_distance() -> None:
    view, instances = recorded(0)
    target = lift_color_mask(instances == 3, view)
    assert isinstance(target, FrameTarget)
    with pytest.raises(DatasetError, match="Instance 77"):
        mesh_distance_m(target, SCAN.mesh(), 77)


def test_both_trees_give_the_same_target() -> None:
    frames = Frames25kScan(FIXTURES / "scannet_frames_25k" / "scene9000_00")
    assert list(frames.numbers) == [0, 200]
    view, _ = recorded(0)
    stored = frames.depth_view(0)
    np.testing.assert_array_equal(stored.depth_m, view.depth_m)
    table = frames.annotation(0).categories == 7
    ours, theirs = lift_color_mask(table, stored), lift_color_mask(table, view)
    assert isinstance(ours, FrameTarget)
    assert isinstance(theirs, FrameTarget)
    assert ours.world is not None
    assert theirs.world is not None
    np.testing.assert_allclose(ours.world.position, theirs.world.position, atol=1e-5)
    assert ours.aligned is None


CAMERA = Intrinsics(fx=100, fy=100, cx=49.5, cy=49.5, width=100, height=100)


def plane_view(T_color_depth: np.ndarray, depth_m: np.ndarray) -> DepthView:
    return DepthView(depth_m, CAMERA, CAMERA, T_color_depth, np.eye(4), None)


def test_cameras_of_different_scale_look_at_the_same_place() -> None:
    # ScanNet's own sizes; a disc around a point of a wall 2 m away.
    color = Intrinsics(1170.19, 1170.19, 647.75, 483.75, 1296, 968)
    depth = Intrinsics(577.87, 577.87, 319.5, 239.5, 640, 480)
    view = DepthView(np.full((480, 640), 2, np.float32), depth, color, np.eye(4), None, None)
    point = np.array([0.4, -0.3, 2.0])
    u, v = 1170.19 * point[:2] / 2 + (647.75, 483.75)
    rows, columns = np.indices((968, 1296))
    target = lift_color_mask(np.hypot(columns - u, rows - v) < 40, view)
    assert isinstance(target, FrameTarget)
    np.testing.assert_allclose(target.camera.position, point, atol=2e-3)


def test_cameras_that_stand_apart() -> None:
    """The colour camera stands 20 cm to the right of the depth camera; pixels shift with depth."""
    extrinsic = np.eye(4)
    extrinsic[0, 3] = -0.2
    T_color_depth = color_from_depth(np.eye(4), extrinsic)
    np.testing.assert_allclose(T_color_depth, extrinsic, atol=1e-12)
    depth_m = np.full((100, 100), 2, np.float32)
    depth_m[:, :50] = 1
    view = plane_view(T_color_depth, depth_m)
    columns = np.tile(np.arange(100), (100, 1))
    seen = view.on_depth_grid(columns)
    np.testing.assert_array_equal(seen[0, 50:], np.arange(50, 100) - 10)  # 100 px · 0.2 m / 2 m
    np.testing.assert_array_equal(seen[0, 20:50], np.arange(0, 30))
    assert not seen[:, :20].any()  # beyond the colour image
    depth_m[:, 80] = np.nan  # looked up at the median depth
    np.testing.assert_array_equal(view.on_depth_grid(columns)[0, 80], 60)


def test_extrinsics_that_cannot_be_are_refused(tmp_path: Path) -> None:
    record = raw_record(np.zeros((6, 8, 3), np.uint8), np.ones((3, 4)), LOST)
    path = write_sens(tmp_path / "a.sens", [record], extrinsic_depth=np.zeros((4, 4)))
    with SensReader(path) as reader, pytest.raises(DatasetError, match="extrinsic of the depth"):
        view_of_recorded(reader.header, reader[0], None)


def test_cameras_that_cannot_be_are_named_with_file_and_frame(tmp_path: Path) -> None:
    folder = tmp_path / "scene9000_00"
    shutil.copytree(FIXTURES / "scannet_frames_25k" / "scene9000_00", folder)
    (folder / "intrinsics_depth.txt").write_text("0 " * 16)
    with pytest.raises(DatasetError, match="scene9000_00, frame 200: The depth camera"):
        Frames25kScan(folder).depth_view(200)
    scan, table = ScanFolder(folder), read_labels(FIXTURES / TABLE_NAME)
    record = raw_record(np.zeros((6, 8, 3), np.uint8), np.ones((3, 4)), LOST)
    write_sens(scan.sens_path, [record], extrinsic_depth=np.zeros((4, 4)))
    (folder / "scene9000_00.txt").write_text("")
    with pytest.raises(DatasetError, match=r"scene9000_00\.sens: The extrinsic of the depth"):
        RecordedFrames(scan, table, 1, posed_only=False).depth_view(0)


def test_distance_to_triangles() -> None:
    triangle = np.array([[[0.0, 0, 0], [2, 0, 0], [0, 2, 0]]])
    known = {
        (0.5, 0.5, 0.3): 0.3,  # above the inside
        (1.0, -1.0, 0.0): 1.0,  # beside an edge
        (-3.0, -4.0, 0.0): 5.0,  # off a corner
        (2.0, 2.0, 0.0): np.sqrt(2),  # beside the long edge
        (1.0, 1.0, 0.0): 0.0,
    }
    for point, distance in known.items():
        got = distance_to_triangles(np.array(point), triangle)
        assert got == pytest.approx(distance, abs=1e-12), point
    flat = np.array([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0]], [[5.0, 5, 5], [5, 5, 5], [5, 5, 5]]])
    assert distance_to_triangles(np.array([1.0, 1, 0]), flat) == pytest.approx(1)


def test_distance_to_triangles_is_that_of_the_nearest_sample() -> None:
    rng = np.random.default_rng(0)
    triangles = rng.normal(size=(20, 3, 3))
    weights = rng.dirichlet(np.ones(3) * 0.7, size=20_000)
    samples = np.einsum("sk,fkc->fsc", weights, triangles).reshape(-1, 3)
    for point in rng.normal(size=(5, 3)) * 2:
        sampled = np.linalg.norm(samples - point, axis=1).min()
        got = distance_to_triangles(point, triangles)
        assert sampled - 0.03 < got <= sampled + 1e-9
