"""A dataset that grows by single samples: new names, one camera a bag, nothing half there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lab_recordings import lab_sample

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.annotation import REVIEWED_FLAG
from lisa_ros.recordings.collection import SampleCollection
from lisa_ros.recordings.dataset_folder import About, open_dataset
from lisa_ros.recordings.sample import LabSample, read_sample
from lisa_ros.recordings.validation import folder_findings
from lisa_ros.recordings.writer import create_dataset
from lisa_ros.types import Intrinsics


def collection(path: Path, session: str = "robot") -> SampleCollection:
    return SampleCollection(path, session, reserve_bytes=0)


def of_another_camera(sample: LabSample) -> LabSample:
    info = sample.camera_info
    assert info is not None
    return replace(sample, camera_info=replace(info, k=(99.0, *info.k[1:]), p=(99.0, *info.p[1:])))


def test_samples_of_several_robots_keep_every_rule(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lab"
    one, other = collection(path, "one"), collection(path, "other")
    assert one.count() == 0
    stems = [
        samples.add(lab_sample("any", shade=shade))
        for shade, samples in enumerate([one, other, one, one])
    ]
    assert stems == ["one-1/000000", "other-1/000000", "one-1/000001", "one-1/000002"]
    assert one.count() == other.count() == 4
    folder = open_dataset(path)
    assert sorted(folder.split_stems("train")) == sorted(stems)
    assert list(folder_findings(folder)) == []
    np.testing.assert_array_equal(
        read_sample(folder, stems[2]).depth_m, lab_sample("any", shade=2).depth_m
    )


def test_a_bag_is_of_one_camera(tmp_path: Path) -> None:
    samples = collection(tmp_path)
    stems = [
        samples.add(lab_sample("a", shade=1)),
        samples.add(of_another_camera(lab_sample("a", shade=2))),
        samples.add(lab_sample("a", shade=3, depth=False)),
        samples.add(replace(lab_sample("a", shade=4, depth=False), camera_info=None)),
    ]
    assert stems == ["robot-1/000000", "robot-2/000000", "robot-3/000000", "robot-4/000000"]
    assert list(folder_findings(open_dataset(tmp_path))) == []


def test_a_lens_is_kept_out_of_rectified_images(tmp_path: Path) -> None:
    sample = lab_sample("a")
    assert sample.camera_info is not None
    bent = replace(sample, camera_info=replace(sample.camera_info, d=(0.1, 0.0, 0.0, 0.0, 0.0)))
    create_dataset(tmp_path / "flat", About("k", "1", "x", rectified=True))
    collection(tmp_path / "flat").add(sample)
    with pytest.raises(DatasetError, match="rectified"):
        collection(tmp_path / "flat", "second").add(bent)
    stem = collection(tmp_path / "bent").add(bent)
    folder = open_dataset(tmp_path / "bent")
    frame = read_sample(folder, stem).frame(rectified=folder.about.rectified)
    assert frame.rays is not None
    assert frame.intrinsics == Intrinsics(60.0, 61.0, 31.25, 23.5, 64, 48)


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("dear")
    with pytest.raises(DatasetError, match="not empty"):
        collection(tmp_path).add(lab_sample("a"))
    with pytest.raises(DatasetError, match="not empty"):
        collection(tmp_path / "thesis.tex").add(lab_sample("a"))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_full_disk_stores_nothing(tmp_path: Path) -> None:
    samples = SampleCollection(tmp_path / "lab", "robot", reserve_bytes=2**62)
    with pytest.raises(DatasetError, match="must stay free"):
        samples.add(lab_sample("a"))
    assert samples.count() == 0
    assert open_dataset(tmp_path / "lab").stored_stems() == ()


def test_what_nobody_reviewed_is_said(tmp_path: Path) -> None:
    sample = lab_sample("a")
    flags = {REVIEWED_FLAG: False}
    unseen = replace(sample.annotation, other={**sample.annotation.other, "flags": flags})
    assert unseen.awaits_review
    assert not sample.annotation.awaits_review
    collection(tmp_path).add(replace(sample, annotation=unseen))
    (finding,) = folder_findings(open_dataset(tmp_path))
    assert finding.severity == "warning"
    assert "nobody has reviewed" in finding.message
