"""A lab dataset that grows by single samples, as a robot stores them while it works."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

from lisa_ros.errors import DatasetError
from lisa_ros.geometry import CameraInfo
from lisa_ros.recordings.dataset_folder import DATASET_FILE, About, DatasetFolder, open_dataset
from lisa_ros.recordings.sample import LabSample
from lisa_ros.recordings.writer import RESERVE_BYTES, create_dataset, write_sample

_SPLIT = "train"


class SampleCollection:
    """Stores samples in the lab dataset in `path`, which is made with the first of them.

    Samples go into bags of this collection's own, "<session>-1", ..., a new one whenever the camera
    changes, so that several robots may share a folder. All are listed in the split train.
    reserve_bytes: what must stay free on the disk. Not thread-safe.
    """

    def __init__(self, path: Path, session: str, *, reserve_bytes: int = RESERVE_BYTES) -> None:
        self.path = path
        self._session = session
        self._reserve_bytes = reserve_bytes
        self._camera: tuple[tuple[int, ...], CameraInfo | None] | None = None
        self._bags = self._frames = 0

    def count(self) -> int:
        """How many samples the folder holds, whoever stored them. Raises DatasetError."""
        return len(self._open().stored_stems()) if self._exists() else 0

    def add(self, sample: LabSample) -> str:
        """Store a sample, whole or not at all, under a new name; return that, "<bag>/<frame>".

        Its annotation may have any `image_name`: it is replaced.

        Raises:
            DatasetError: the folder holds something else or cannot be written, the disk is full, or
                the parts of the sample do not fit one another. Nothing is stored then.

        """
        folder = self._open() if self._exists() else self._create()
        self._check_rectified(folder, sample)
        bag, frame = self._next_name(sample)
        annotation = replace(sample.annotation, image_name=f"{frame}.jpg")
        named = replace(sample, annotation=annotation)
        stem = f"{bag}/{frame}"
        write_sample(folder, stem, named, split=_SPLIT, reserve_bytes=self._reserve_bytes)
        self._frames += 1
        return stem

    def _next_name(self, sample: LabSample) -> tuple[str, str]:
        camera = (sample.image.shape, sample.camera_info)
        if camera != self._camera:  # a bag has one calibration, which fits all of its images
            self._camera, self._bags, self._frames = camera, self._bags + 1, 0
        return f"{self._session}-{self._bags}", f"{self._frames:06d}"

    def _check_rectified(self, folder: DatasetFolder, sample: LabSample) -> None:
        """Refuse images of a lens where the dataset says that there is none in its images."""
        if folder.about.rectified and sample.camera_info is not None and any(sample.camera_info.d):
            raise DatasetError(
                f"{self.path} holds rectified images (rectified in {DATASET_FILE}), but this "
                "camera's have its lens's distortion. Choose another folder, or rectify them."
            )

    def _exists(self) -> bool:
        return (self.path / DATASET_FILE).is_file()

    def _open(self) -> DatasetFolder:
        return open_dataset(self.path)

    def _create(self) -> DatasetFolder:
        try:
            taken = self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir()))
        except OSError as error:
            raise DatasetError(
                f"Cannot look into {self.path}: {error.strerror}. Choose another folder."
            ) from error
        if taken:
            raise DatasetError(
                f"{self.path} is no lab dataset and not empty. Name a new folder, or one that "
                "samples were stored in before."
            )
        about = About(
            name=self.path.name,
            version="1",
            licence="not stated: the lab that records it says",
            rectified=False,  # then K and D count, which are right for rectified images too
            other={"created": datetime.date.today().isoformat()},
        )
        return create_dataset(self.path, about)
