"""A lab's own recordings as an evaluation set, with depth where it was recorded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from lisa_ros.recordings.dataset_folder import DatasetFolder, open_dataset
from lisa_ros.recordings.sample import LabSample, read_sample
from training.data.lab import LabDataset
from training.data.sample import Sample
from training.evaluation.asked import AskedImage, Depth
from training.evaluation.validated_set import LONG, SHORT, ValidatedSet, asked_image


def open_lab_set(folder: Path, split: str | None) -> ValidatedSet:
    """Every query of a split's samples in its first wording; the source of an image is its bag.

    split: "train", "val" or "test"; None: all samples. Reading an image raises CameraInfoError
    where its calibration is contradictory, or belongs to another size.

    Raises:
        DatasetError: no lab dataset, no sample in the split, or malformed lists.

    """
    dataset = LabDataset(folder, split, reason_only_share=None)
    opened = open_dataset(folder)
    return ValidatedSet(dataset, lambda _, sample: _asked(opened, sample))


def _asked(folder: DatasetFolder, sample: Sample) -> AskedImage:
    """Depth comes with the questions if the sample has depth and a calibration."""
    bag = sample.image.parent.name
    recorded = read_sample(folder, f"{bag}/{sample.image.stem}")
    forms = [LONG if q.is_sentence else SHORT for q in recorded.annotation.asked]
    asked = asked_image(dataclasses.replace(sample, pixels=recorded.image), forms, bag)
    return dataclasses.replace(asked, depth=_depth(folder, recorded))


def _depth(folder: DatasetFolder, recorded: LabSample) -> Depth | None:
    if recorded.depth_m is None or recorded.camera_info is None:
        return None
    frame = recorded.frame(rectified=folder.about.rectified)
    assert frame.intrinsics is not None  # there is a calibration
    return Depth(recorded.depth_m, recorded.depth_m, frame.intrinsics, frame.rays)
