from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lab_recordings import HEIGHT, WIDTH, cup, lab_sample, write_lab_dataset

from lisa_ros.errors import CameraInfoError, DatasetError
from lisa_ros.geometry import CameraInfo, RegionOfInterest
from lisa_ros.recordings import atomic_files, writer
from lisa_ros.recordings.camera_yaml import (
    camera_info_of,
    camera_info_yaml,
    read_camera_info,
    read_camera_model,
)
from lisa_ros.recordings.dataset_folder import About, open_dataset
from lisa_ros.recordings.sample import LabSample, read_sample
from lisa_ros.recordings.validation import folder_findings
from lisa_ros.recordings.writer import create_dataset, write_sample
from lisa_ros.types import Intrinsics


def test_a_sample_comes_back(tmp_path: Path) -> None:
    write_lab_dataset(tmp_path)
    folder = open_dataset(tmp_path)
    assert folder.about.name == "kitchen"
    assert folder.about.other == {"robot": "arm"}
    assert folder.split_stems("train") == ("bag01/000000", "bag01/000007")
    assert folder.stored_stems() == ("bag01/000000", "bag01/000007", "bag02/000000")
    written, sample = lab_sample("000000"), read_sample(folder, "bag01/000000")
    assert sample.annotation == written.annotation
    assert sample.image.shape == (HEIGHT, WIDTH, 3)
    assert abs(sample.image.astype(int) - written.image).max() < 25  # JPEG
    np.testing.assert_array_equal(sample.depth_m, written.depth_m)
    assert sample.meta.stamp_color_ns == written.meta.stamp_color_ns
    np.testing.assert_array_equal(sample.meta.T_world_camera, written.meta.T_world_camera)
    frame = sample.frame(rectified=True)
    assert frame.intrinsics == Intrinsics(60.0, 61.0, 31.25, 23.5, WIDTH, HEIGHT)
    assert (frame.stamp_ns, frame.frame_id) == (1_700_000_000_000_000_001, "camera_optical_frame")
    assert frame.rays is None


def test_what_is_written_keeps_every_rule(tmp_path: Path) -> None:
    assert list(folder_findings(write_lab_dataset(tmp_path))) == []


def test_depth_that_cannot_be_stored_is_a_hole(tmp_path: Path) -> None:
    folder = create_dataset(tmp_path, About("k", "1", "x", depth_unit_m=0.0001))
    sample = lab_sample("1")
    depth_m = np.full((HEIGHT, WIDTH), 0.12345, np.float32)
    depth_m[0, :5] = (np.inf, -1.0, 6.6, 0.00001, np.nan)
    write_sample(folder, "b/1", replace(sample, depth_m=depth_m), reserve_bytes=0)
    read = read_sample(open_dataset(tmp_path), "b/1").depth_m
    assert read is not None
    assert np.isnan(read[0, :5]).all()
    np.testing.assert_allclose(read[1:], 0.1235, atol=6e-5)


@pytest.mark.parametrize(
    "stem",
    ["../x/1", "/etc/1", "a/../1", "a/..", "a", "a/b/c", "a/", "/a", ".a/1", "a/.1", "a\\b/1",
     "a/1\n", "a/\x00", "a/" + "x" * 101, "", "a/ 1"],
)  # fmt: skip
def test_hostile_names_are_refused(tmp_path: Path, stem: str) -> None:
    folder = write_lab_dataset(tmp_path / "ds")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DatasetError, match="is no name of a sample"):
        write_sample(folder, stem, lab_sample("1"), reserve_bytes=0)
    with pytest.raises(DatasetError, match="is no name of a sample"):
        read_sample(folder, stem)
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = write_lab_dataset(tmp_path)
    content = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(DatasetError, match="exists"):
        write_sample(folder, "bag01/000000", lab_sample("000000"), reserve_bytes=0)
    picture = tmp_path / "samples" / "bag01" / "000009.jpg"
    picture.write_bytes(b"a picture that waits for its annotation")
    with pytest.raises(DatasetError, match="without an annotation"):
        write_sample(folder, "bag01/000009", lab_sample("000009"), reserve_bytes=0)
    with pytest.raises(DatasetError, match="a lab dataset already"):
        create_dataset(tmp_path, folder.about)
    picture.unlink()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == content


def test_a_bag_has_one_split_and_one_camera(tmp_path: Path) -> None:
    folder = write_lab_dataset(tmp_path)
    with pytest.raises(DatasetError, match="'bag01' is in the split 'train'"):
        write_sample(folder, "bag01/1", lab_sample("1"), split="test", reserve_bytes=0)
    other = camera_info_of(Intrinsics(99.0, 99.0, 32.0, 24.0, WIDTH, HEIGHT))
    sample = replace(lab_sample("1"), camera_info=other)
    with pytest.raises(DatasetError, match="another camera"):
        write_sample(folder, "bag01/1", sample, split="train", reserve_bytes=0)
    with pytest.raises(DatasetError, match="Unknown split 'dev'"):
        write_sample(folder, "bag03/1", lab_sample("1"), split="dev", reserve_bytes=0)
    assert len(folder.stored_stems()) == 3


def wrong_samples() -> dict[str, LabSample]:
    good = lab_sample("1")
    return {
        "expected uint8": replace(good, image=good.image[:5]),
        "as its image_name": lab_sample("2"),
        "expected float metres": replace(good, depth_m=np.zeros((5, 5), np.float32)),
        "needs the camera's calibration": replace(good, camera_info=None),
        "expected 32x24": replace(
            good, camera_info=camera_info_of(Intrinsics(60.0, 61.0, 16.0, 12.0, 32, 24))
        ),
    }


@pytest.mark.parametrize("expected", list(wrong_samples()))
def test_contradictions_are_refused(tmp_path: Path, expected: str) -> None:
    folder = create_dataset(tmp_path, About("k", "1", "x"))
    with pytest.raises(DatasetError, match=expected):
        write_sample(folder, "b/1", wrong_samples()[expected], reserve_bytes=0)
    assert folder.stored_stems() == ()


def test_a_full_disk_is_noticed_before_writing(tmp_path: Path) -> None:
    folder = create_dataset(tmp_path, About("k", "1", "x"))
    with pytest.raises(DatasetError, match="must stay free"):
        write_sample(folder, "b/1", lab_sample("1"), reserve_bytes=2**62)
    assert not (tmp_path / "samples" / "b").exists()


def test_a_disk_that_refuses_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = create_dataset(tmp_path, About("k", "1", "x"))

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_files.os, "fsync", refuse)
    with pytest.raises(DatasetError, match="No space left on device"):
        write_sample(folder, "b/1", lab_sample("1"), reserve_bytes=0)
    assert list((tmp_path / "samples" / "b").iterdir()) == []


KILLED = """
import os, sys
from pathlib import Path
from lisa_ros.recordings import atomic_files
from lisa_ros.recordings.dataset_folder import open_dataset
from lisa_ros.recordings.writer import write_sample
from lab_recordings import lab_sample
left = int(sys.argv[2])
rename, write = os.replace, atomic_files.flushed
def dying(action):
    def step(*arguments):
        global left
        if left == 0:
            os._exit(9)
        left -= 1
        return action(*arguments)
    return step
os.replace, atomic_files.flushed = dying(rename), dying(write)
folder = open_dataset(Path(sys.argv[1]))
write_sample(folder, "bag/1", lab_sample("1"), split="val", reserve_bytes=0)
"""


@pytest.mark.parametrize("steps", [2, 5, 7, 9, 10, 11, 12])
def test_a_killed_writer_leaves_a_whole_sample_or_none(tmp_path: Path, steps: int) -> None:
    """Five files are written and five renamed, then the split's list is written and renamed."""
    folder = create_dataset(tmp_path, About("k", "1", "x"))
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(steps)],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
        timeout=300,
    )
    assert killed.returncode == (9 if steps < 12 else 0)
    assert folder.stored_stems() == (("bag/1",) if steps >= 10 else ())
    assert folder.split_stems("val") == (("bag/1",) if steps >= 12 else ())
    for stem in folder.stored_stems():
        assert read_sample(folder, stem).depth_m is not None
    # The next one writes on, and what is left of the first is named.
    write_sample(folder, "bag/2", lab_sample("2", shade=7), split="val", reserve_bytes=0)
    told = {finding.severity for finding in folder_findings(folder)}
    assert told == ({"warning"} if steps < 12 else set())


def test_a_calibration_comes_back(tmp_path: Path) -> None:
    info = CameraInfo(
        width=640, height=480,
        k=(600.5, 0, 320.25, 0, 601.5, 240.75, 0, 0, 1),
        p=(580.0, 0, 319.0, 0, 0, 581.0, 239.0, 0, 0, 0, 1, 0),
        d=(0.1, -0.2, 0.001, 0.002, 0.05), distortion_model="plumb_bob",
    )  # fmt: skip
    path = tmp_path / "camera_info.yaml"
    path.write_bytes(camera_info_yaml(info))
    assert read_camera_info(path) == info
    rectified = read_camera_model(path, rectified=True, image_size=(480, 640))
    assert (rectified.intrinsics.fx, rectified.distortion) == (580.0, None)
    raw = read_camera_model(path, rectified=False, image_size=(480, 640))
    assert raw.intrinsics.fx == 600.5
    assert raw.distortion is not None
    with pytest.raises(DatasetError, match=r"camera_info\.yaml.*expected 640x480"):
        read_camera_model(path, rectified=True, image_size=(48, 64))


def test_a_cropped_calibration_cannot_be_said_in_yaml() -> None:
    info = CameraInfo(640, 480, k=(1.0,) * 9, roi=RegionOfInterest(8, 8, 100, 100))
    with pytest.raises(CameraInfoError, match="the image as it is"):
        camera_info_yaml(info)


def test_a_calibration_as_ros_writes_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "camera_info.yaml"
    path.write_text(
        "image_width: 64\nimage_height: 48\ncamera_name: wrist\n"
        "camera_matrix:\n  rows: 3\n  cols: 3\n  data: [60, 0, 31.5, 0, 60, 23.5, 0, 0, 1]\n"
        "distortion_model: plumb_bob\n"
        "distortion_coefficients:\n  rows: 1\n  cols: 5\n  data: [0, 0, 0, 0, 0]\n"
        "rectification_matrix:\n  rows: 3\n  cols: 3\n  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]\n"
        "projection_matrix:\n  rows: 3\n  cols: 4\n"
        "  data: [60, 0, 31.5, 0, 0, 60, 23.5, 0, 0, 0, 1, 0]\n"
    )
    model = read_camera_model(path, rectified=True, image_size=(48, 64))
    assert model.intrinsics == Intrinsics(60.0, 60.0, 31.5, 23.5, 64, 48)


def test_the_writer_is_not_confused_by_another_spelling_of_the_same_calibration(
    tmp_path: Path,
) -> None:
    folder = write_lab_dataset(tmp_path)
    path = tmp_path / "samples" / "bag01" / "camera_info.yaml"
    path.write_text("# wrist camera\n" + path.read_text())
    write_sample(folder, "bag01/1", lab_sample("1", cup(14)), reserve_bytes=0)
    assert path.read_text().startswith("# wrist camera")
    assert writer.RESERVE_BYTES > 0
