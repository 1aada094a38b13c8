"""A scan's folder: text, mesh, objects and 2D annotation, against ScanNet's own scripts."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lisa_ros.errors import DatasetError
from lisa_ros.geometry.transforms import transform_points
from training.data.scannet.aggregation import read_objects, read_segments, vertex_instances
from training.data.scannet.annotated_mesh import nyu40_of_vertices
from training.data.scannet.labels import read_labels
from training.data.scannet.meta import read_meta
from training.data.scannet.ply import read_ply
from training.data.scannet.projection_zip import ProjectionZip
from training.data.scannet.scan import ScanFolder

FIXTURES = Path(__file__).parent / "fixtures" / "scannet"
SCAN = FIXTURES / "scans" / "scene9000_00"
EXPECTED = json.loads((FIXTURES / "expected_scan.json").read_text())
TABLE = read_labels(FIXTURES / "scannetv2-labels.combined.tsv")


def digest(values: np.ndarray, dtype: str) -> str:
    return hashlib.sha256(np.ascontiguousarray(values.astype(dtype)).tobytes()).hexdigest()


def test_text_file_as_released(tmp_path: Path) -> None:
    meta = read_meta(SCAN / "scene9000_00.txt")
    np.testing.assert_array_equal(meta.T_aligned_world, EXPECTED["axisAlignment"])
    assert (meta.num_color_frames, meta.scene_type) == (4, "Misc.")
    assert meta.values["fx_depth"] == "29.250000"
    windows = (SCAN / "scene9000_00.txt").read_bytes().replace(b"\n", b"\r\n")
    (tmp_path / "a.txt").write_bytes(windows)
    assert read_meta(tmp_path / "a.txt").values == meta.values


def test_test_scans_have_no_alignment(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("colorHeight = 968\n")
    meta = read_meta(tmp_path / "a.txt")
    np.testing.assert_array_equal(meta.T_aligned_world, np.eye(4))
    assert meta.num_color_frames is None
    assert meta.scene_type is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("axisAlignment = 1 0 0 0", "16 numbers"),
        ("axisAlignment = " + "2 " * 16, "rigid"),
        ("axisAlignment = " + "nan " * 16, "rigid"),
        ("numColorFrames = many", "count"),
        ("what is this", "line 1"),
    ],
)
def test_text_that_cannot_be_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_meta(tmp_path / "a.txt")


def test_mesh_objects_and_classes_as_scannets_scripts_have_them() -> None:
    scan = ScanFolder(SCAN)
    mesh = scan.mesh()
    assert mesh.positions.shape == (EXPECTED["vertex_count"], 3)
    assert mesh.triangles.shape == (EXPECTED["face_count"], 3)
    classes = nyu40_of_vertices(mesh.instances, scan.objects, TABLE)
    assert digest(classes, "<i4") == EXPECTED["per_vertex_nyu40_sha256_int32le"]
    known = np.where(classes > 0, mesh.instances, 0)
    (key,) = (key for key in EXPECTED if key.startswith("per_vertex_instance_sha256"))
    assert digest(known, "<i4") == EXPECTED[key]
    np.testing.assert_array_equal(scan.vertex_labels(), classes)


@pytest.mark.parametrize("expected", EXPECTED["objects"], ids=lambda found: found["label"])
def test_object_as_scannets_scripts_have_it(expected: dict) -> None:
    scan = ScanFolder(SCAN)
    found = {o.object_id: o for o in scan.objects}[expected["objectId"]]
    assert found.label == expected["label"]
    row = TABLE.by_name[found.label]
    assert (row.id, row.nyu40id) == (expected["scannet_id"], expected["nyu40id"])
    vertices = scan.mesh().vertices_of(found.object_id + 1)
    assert len(vertices) == expected["vertex_count"]
    aligned = transform_points(scan.meta.T_aligned_world, vertices)
    np.testing.assert_allclose(vertices.mean(axis=0), expected["centroid_world"], atol=1e-6)
    np.testing.assert_allclose(vertices.min(axis=0), expected["aabb_min_world"], atol=1e-12)
    np.testing.assert_allclose(vertices.max(axis=0), expected["aabb_max_world"], atol=1e-12)
    np.testing.assert_allclose(aligned.min(axis=0), expected["aabb_min_axis_aligned"], atol=1e-5)
    np.testing.assert_allclose(aligned.max(axis=0), expected["aabb_max_axis_aligned"], atol=1e-5)


def test_groups_without_class_and_vertices_without_group() -> None:
    scan = ScanFolder(SCAN)
    mesh = scan.mesh()
    unmapped = EXPECTED["unmapped_group"]
    assert scan.objects[-1].label == unmapped["label"]
    value = unmapped["objectId"] + 1
    assert len(mesh.vertices_of(value)) == unmapped["vertex_count"]
    assert len(mesh.vertices_of(0)) == EXPECTED["unannotated_segment"]["vertex_count"]
    classes = nyu40_of_vertices(mesh.instances, scan.objects, TABLE)
    assert set(classes[mesh.instances == value]) == {unmapped["expected_nyu40"]}


@pytest.mark.parametrize("name", EXPECTED["zip_maps"])
def test_projection_as_stored(name: str) -> None:
    expected = EXPECTED["zip_maps"][name]
    kind, _, file = name.partition("/")
    with ScanFolder(SCAN).open_projection(kind) as projection:  # type: ignore[arg-type]
        values = projection.read(int(file.removesuffix(".png")), (64, 48))
    assert list(values.shape) == expected["shape"]
    dtype = {"uint16": "<u2", "uint8": "u1"}[expected["dtype"]]
    assert digest(values, dtype) == expected["sha256_raw"]
    present, counts = np.unique(values, return_counts=True)
    assert {str(k): v for k, v in zip(present, counts, strict=True)} == expected["values"]


def write_aggregation(path: Path, groups: Any) -> Path:
    path.write_text(json.dumps({"sceneId": "scene0000_00", "segGroups": groups}))
    return path


def group(object_id: Any, segments: Any, label: Any = "chair", **more: Any) -> dict[str, Any]:
    return {"objectId": object_id, "segments": segments, "label": label, **more}


def test_objects_listed_twice_count_once(tmp_path: Path) -> None:
    # As scene0217_00 does: the same segments under a second id, in another order.
    objects = read_objects(
        write_aggregation(
            tmp_path / "a.json",
            [
                group(0, [5, 6]), group(1, [7], "table"), group(2, [6, 5]),
                group(3, [7], "table"), group(2, [5, 6]), group(4, []), group(5, []),
            ],
        )
    )  # fmt: skip
    assert [(o.object_id, o.label, o.instance_values) for o in objects] == [
        (0, "chair", (1, 3)),
        (1, "table", (2, 4)),
        (4, "chair", (5,)),
        (5, "chair", (6,)),
    ]


def test_numbers_may_be_strings_or_null(tmp_path: Path) -> None:
    objects = read_objects(
        write_aggregation(
            tmp_path / "a.json", [group("12", ["3", None, 4]), group(None, [9], id="7")]
        )
    )
    assert [(o.object_id, o.segments) for o in objects] == [(12, {3, 4}), (7, {9})]
    segs = tmp_path / "a.segs.json"
    segs.write_text('{"segIndices": ["3", 4, -1, 9, 100]}')
    # Segment 100 is nobody's; a segment that is listed but absent is passed over.
    assert vertex_instances(objects, read_segments(segs)).tolist() == [13, 13, 0, 8, 0]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([group(0, [1]), group(0, [2])], r"segGroups\[1\].*objectId 0"),
        ([group(None, [1])], r"segGroups\[0\]"),
        ([group(True, [1])], "True"),
        ([group(1.5, [1])], "1.5"),
        ([group(-1, [1])], "-1"),
        ([group("9" * 5000, [1])], "999"),
        ([group(0, ["x"])], "segments"),
        ([group(0, None)], "segments is NoneType"),
        ([group(0, [1], None)], r"segGroups\[0\]\.label is NoneType"),
        ([3], "int"),
        (None, "segGroups is NoneType"),
    ],
)
def test_aggregations_that_cannot_be_are_refused(tmp_path: Path, groups: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_objects(write_aggregation(tmp_path / "a.json", groups))


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"segIndices": [1, null]}'])
def test_files_that_are_no_segments_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DatasetError, match=r"a\.json"):
        read_segments(tmp_path / "a.json")


def test_segments_of_the_other_mesh_are_refused(tmp_path: Path) -> None:
    shutil.copytree(SCAN, tmp_path / "scene0001_00")
    scan = tmp_path / "scene0001_00"
    for file in sorted(scan.iterdir()):
        file.rename(scan / file.name.replace("scene9000_00", "scene0001_00"))
    (scan / "scene0001_00_vh_clean_2.0.010000.segs.json").write_text('{"segIndices": [1, 2]}')
    with pytest.raises(DatasetError, match="2 segment indices for 487 vertices"):
        ScanFolder(scan).mesh()


PLY = "ply\nformat binary_little_endian 1.0\ncomment x y\nelement vertex 3\n"
XYZ = "property float32 x\nproperty float y\nproperty double z\n"
FACE = "element face 1\nproperty list uint8 int32 vertex_index\nend_header\n"
VERTICES = b"".join(struct.pack("<ffd", n, 0, 1) for n in range(3))


def test_meshes_of_other_spellings(tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_bytes(
        (PLY + XYZ + FACE).encode() + VERTICES + struct.pack("<B3i", 3, 0, 1, 2)
    )
    mesh = read_ply(tmp_path / "a.ply")
    np.testing.assert_array_equal(mesh.positions, [[0, 0, 1], [1, 0, 1], [2, 0, 1]])
    np.testing.assert_array_equal(mesh.triangles, [[0, 1, 2]])
    (tmp_path / "b.ply").write_bytes((PLY + XYZ + "end_header\r\n").encode() + VERTICES)
    assert read_ply(tmp_path / "b.ply").triangles.shape == (0, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no PLY header"),
        ((PLY + XYZ).encode(), "no PLY header"),
        ((PLY + XYZ + FACE).encode() + VERTICES[:-1], "vertices at offset"),
        ((PLY + XYZ + FACE).encode() + VERTICES, "faces at offset"),
        ((PLY + XYZ + FACE).encode() + VERTICES + struct.pack("<B3i", 4, 0, 1, 2), "triangles"),
        ((PLY + XYZ + FACE).encode() + VERTICES + struct.pack("<B3i", 3, 0, 1, 3), "vertex 3"),
        ((PLY + XYZ + "end_header\n").encode() + b"\xff" * 48, "not finite"),
        ((PLY + "property float x\nend_header\n").encode(), "expected x, y, z"),
        ((PLY.replace("3", "9" * 18) + XYZ + "end_header\n").encode(), "vertices at offset"),
        ((PLY.replace("3", "9" * 5000) + XYZ + "end_header\n").encode(), "not understood"),
        ((PLY.replace("binary_little_endian", "ascii") + XYZ + FACE).encode(), "format ascii"),
    ],
)
def test_meshes_that_cannot_be_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.ply").write_bytes(data)
    with pytest.raises(DatasetError, match=message):
        read_ply(tmp_path / "a.ply")


def png(mode: str = "L", size: tuple[int, int] = (64, 48)) -> bytes:
    data = io.BytesIO()
    Image.new(mode, size).save(data, "PNG")
    return data.getvalue()


def write_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"instance/0.png": png()}, "instance/3.png is missing"),
        ({"instance/3.png": b"no image"}, "not a readable PNG"),
        ({"instance/3.png": png(size=(64, 47))}, "64x47 pixels, expected 64x48"),
        ({"instance/3.png": png("RGB")}, "mode RGB"),
        ({"instance/3.png": bytes(2**24)}, "16777216 bytes"),
    ],
)
def test_projections_that_cannot_be_are_refused(
    tmp_path: Path, entries: dict[str, bytes], message: str
) -> None:
    path = write_zip(tmp_path / "a.zip", entries)
    with (
        ProjectionZip(path, "instance") as projection,
        pytest.raises(DatasetError, match=message),
    ):
        projection.read(3, (64, 48))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_that_inflate_without_bound_are_refused(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as file:
        file.writestr("instance/3.png", png())
    with (
        ProjectionZip(tmp_path / "a.zip", "instance") as projection,
        pytest.raises(DatasetError, match=f"instance/3.png has the compression {method}"),
    ):
        projection.read(3, (64, 48))


def test_damaged_zips_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"instance/3.png": png()})
    data = bytearray(path.read_bytes())
    path.write_bytes(data[:-5])
    with pytest.raises(DatasetError, match="no readable zip"):
        ProjectionZip(path, "instance")
    data[60] ^= 0xFF  # in the entry's data
    path.write_bytes(data)
    with (
        ProjectionZip(path, "instance") as projection,
        pytest.raises(DatasetError, match="damaged"),
    ):
        projection.read(3, (64, 48))
    with pytest.raises(DatasetError, match="test scans have none"):
        ProjectionZip(tmp_path / "missing.zip", "instance")


def test_a_scan_is_a_folder_called_like_one(tmp_path: Path) -> None:
    (tmp_path / "kitchen").mkdir()
    for path in (tmp_path / "kitchen", tmp_path / "scene0000_00"):
        with pytest.raises(DatasetError, match="scene0000_00"):
            ScanFolder(path)
