"""The 3D targets of ScanNet's annotation as a table."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from lab_recordings import write_lab_dataset

from training.data.__main__ import main
from training.data.registry import open_dataset
from training.data.scannet.dataset import ScanNetDataset
from training.data.scannet.target_table import TargetRow, target_rows, write_csv
from training.data.scannet.targets import FrameTarget, lift_instances, mesh_distance_m

FIXTURES = Path(__file__).parent / "fixtures"


def scannet(kind: str) -> ScanNetDataset:
    options = {"every": 1} if kind == "scannet" else {}
    opened = open_dataset(kind, FIXTURES, "train", options)
    assert isinstance(opened, ScanNetDataset)
    return opened


def test_every_object_of_every_frame_has_a_row() -> None:
    dataset = scannet("scannet")
    (source,) = dataset.sources
    mesh = source.mesh()
    assert mesh is not None
    rows = iter(target_rows(dataset))
    for number in source.numbers:
        annotation = source.annotation(number)
        lifted = lift_instances(annotation.instances, source.depth_view(number))
        for instance, target in lifted.items():
            row = next(rows)
            assert (row.frame, row.instance) == (number, instance)
            category = annotation.categories[annotation.instances == instance][0]
            assert row.name == annotation.names[category]
            assert isinstance(target, FrameTarget)
            assert target.aligned is not None
            np.testing.assert_allclose(row.aligned, target.aligned.position)
            assert row.mesh_distance_m == mesh_distance_m(target, mesh, instance)
    assert next(rows, None) is None


def test_what_a_layout_does_not_have_is_empty() -> None:
    rows = list(target_rows(scannet("scannet_25k")))
    assert rows
    file = io.BytesIO()
    written = write_csv(rows, file)
    assert (written.objects, written.lifted, len(written.distances_m)) == (8, 8, 0)
    table = list(csv.DictReader(file.getvalue().decode().splitlines()))
    for row, line in zip(rows, table, strict=True):
        assert (row.aligned, row.mesh_distance_m) == (None, None)
        assert (line["aligned_x_m"], line["mesh_distance_m"]) == ("", "")
        world = [float(line[f"world_{axis}_m"]) for axis in "xyz"]
        np.testing.assert_allclose(world, row.world, atol=5.1e-5)


def test_rows_are_written_as_they_come() -> None:
    file = io.BytesIO()

    def rows() -> Iterator[TargetRow]:
        for frame in range(2000):
            yield TargetRow("scene", frame, 1, "cup", 9, 0.5, *[None] * 4, "the mask is empty")
        written = len(file.getvalue().splitlines())
        assert written > 1500, f"{written} of 2000 rows are in the file before the last"

    assert write_csv(rows(), file).objects == 2000


def test_a_scan_without_its_mesh_is_lifted_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(FIXTURES / "scannet", tmp_path / "scannet")
    scan = tmp_path / "scannet" / "scans" / "scene9000_00"
    for mesh in scan.glob("*_vh_clean_2.*"):
        mesh.unlink()
    out = tmp_path / "targets.csv"
    arguments = [str(tmp_path), "--kind", "scannet", "--option", "every=1"]
    assert main(["targets", *arguments, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "8 objects in 3 frames, 8 lifted" in printed
    assert "no target could be held against an annotated mesh" in printed
    with out.open(newline="") as file:
        without = list(csv.DictReader(file))
    full = io.BytesIO()
    write_csv(target_rows(scannet("scannet")), full)
    expected = list(csv.DictReader(full.getvalue().decode().splitlines()))
    assert all(row["mesh_distance_m"] for row in expected)
    assert without == [{**row, "mesh_distance_m": ""} for row in expected]
    # Nothing keeps such a scan from being trained on.
    assert main(["validate", *arguments]) == 0
    assert "targets are not held against it" in capsys.readouterr().out


def test_a_table_that_breaks_off_replaces_nothing(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "scannet", tmp_path / "scannet")
    scan = tmp_path / "scannet" / "scans" / "scene9000_00"
    (scan / "scene9000_00_2d-instance-filt.zip").write_bytes(b"PK")
    out = tmp_path / "targets.csv"
    out.write_text("of last week")
    arguments = [str(tmp_path), "--kind", "scannet", "--option", "every=1"]
    assert main(["targets", *arguments, "--out", str(out)]) == 1
    assert out.read_text() == "of last week"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scannet", "targets.csv"]


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "targets.csv"
    arguments = ["targets", str(FIXTURES), "--kind", "scannet", "--option", "every=1"]
    assert main([*arguments, "--out", str(out)]) == 0
    assert "8 objects in 3 frames, 8 lifted" in capsys.readouterr().out
    assert len(out.read_text().splitlines()) == 1 + 8
    assert main([*arguments, "--out", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert "is a folder" in told.err
    assert "frame" not in told.err  # no bar: nothing was lifted
    write_lab_dataset(tmp_path / "lab")
    assert main(["targets", str(tmp_path / "lab"), "--out", str(out)]) == 1
    assert "--kind scannet" in capsys.readouterr().err
