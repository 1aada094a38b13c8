"""Tiny lab datasets that keep every rule, for tests to read, or to break."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lisa_ros.recordings.camera_yaml import camera_info_of
from lisa_ros.recordings.dataset_folder import About, DatasetFolder
from lisa_ros.recordings.masked_queries import MaskedQuery, annotate
from lisa_ros.recordings.sample import LabSample
from lisa_ros.recordings.sample_meta import SampleMeta
from lisa_ros.recordings.writer import create_dataset, write_sample
from lisa_ros.types import BoolArray, Intrinsics

HEIGHT, WIDTH = 48, 64
SIZE = (HEIGHT, WIDTH)
CUP = MaskedQuery(
    ("What holds hot tea?", "Which thing would you drink from?"), True, np.zeros(SIZE, bool)
)


def box(top: int, left: int, bottom: int, right: int) -> BoolArray:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def cup(top: int = 10) -> MaskedQuery:
    return MaskedQuery(CUP.texts, True, box(top, 20, top + 15, 40))


def lab_sample(
    frame: str, *questions: MaskedQuery, shade: int = 90, depth: bool = True, ignore: bool = False
) -> LabSample:
    image = np.full((*SIZE, 3), shade, np.uint8)
    image[10:25, 20:40] = (200, 40, shade)
    depth_m = np.full(SIZE, 1.234, np.float32)
    depth_m[:, :5] = np.nan
    pose = np.eye(4)
    pose[:3, 3] = (0.1, -0.2, 1.5)
    return LabSample(
        image=image,
        annotation=annotate(
            f"{frame}.jpg", SIZE, questions or (cup(),), box(0, 0, 6, 10) if ignore else None
        ),
        depth_m=depth_m if depth else None,
        camera_info=camera_info_of(Intrinsics(60.0, 61.0, 31.25, 23.5, WIDTH, HEIGHT)),
        meta=SampleMeta(
            stamp_color_ns=1_700_000_000_000_000_001,
            stamp_depth_ns=1_700_000_000_004_000_000,
            frame_id="camera_optical_frame",
            T_world_camera=pose,
            world_frame="map",
        ),
    )


def write_lab_dataset(path: Path) -> DatasetFolder:
    """Two samples for training, one of them with three queries and ignored pixels, one for val."""
    folder = create_dataset(path, About("kitchen", "1", "CC0-1.0", other={"robot": "arm"}))
    several = (
        cup(),
        MaskedQuery(("the green plate",), False, box(30, 5, 44, 30)),
        MaskedQuery(("the elephant",), False, box(0, 0, 0, 0)),
    )
    write = {"reserve_bytes": 0}
    write_sample(folder, "bag01/000000", lab_sample("000000"), split="train", **write)
    sample = lab_sample("000007", *several, shade=120, ignore=True)
    write_sample(folder, "bag01/000007", sample, split="train", **write)
    sample = lab_sample("000000", cup(12), shade=150, depth=False)
    write_sample(folder, "bag02/000000", sample, split="val", **write)
    return folder
