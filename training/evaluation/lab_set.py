"""A lab's own recordings as an evaluation set, with depth where it was recorded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from lisa_ros.recordings.dataset_folder import open_dataset
from lisa_ros.recordings.sample import LabSample, read_sample
from training.data.lab import LabDataset
from training.evaluation.asked import AskedImage, Depth
from training.evaluation.public_sets import LONG, SHORT, asked_image


class LabEvaluation:
    """Every query of a split's samples in its first wording; the source of an image is its bag."""

    def __init__(self, folder: Path, split: str | None) -> None:
        """Open the dataset. split: "train", "val" or "test"; None: all samples.

        Raises:
            DatasetError: no lab dataset, no sample in the split, or malformed lists.

        """
        self._dataset = LabDataset(folder, split, reason_only_share=None)
        self._folder = open_dataset(folder)

    @property
    def name(self) -> str:
        """Such as "kitchen|val"."""
        return self._dataset.name

    def __len__(self) -> int:
        return len(self._dataset)

    def image(self, index: int) -> AskedImage:
        """Ask every query; depth comes with it if the sample has depth and a calibration.

        Raises:
            DatasetError: a file of the sample is missing or malformed; names it.
            CameraInfoError: its calibration is contradictory, or belongs to another size.

        """
        sample = self._dataset.validation_sample(index)
        bag = sample.image.parent.name
        recorded = read_sample(self._folder, f"{bag}/{sample.image.stem}")
        forms = [LONG if q.is_sentence else SHORT for q in recorded.annotation.asked]
        asked = asked_image(dataclasses.replace(sample, pixels=recorded.image), forms, bag)
        return dataclasses.replace(asked, depth=self._depth(recorded))

    def _depth(self, recorded: LabSample) -> Depth | None:
        if recorded.depth_m is None or recorded.camera_info is None:
            return None
        frame = recorded.frame(rectified=self._folder.about.rectified)
        assert frame.intrinsics is not None  # there is a calibration
        return Depth(recorded.depth_m, recorded.depth_m, frame.intrinsics, frame.rays)
