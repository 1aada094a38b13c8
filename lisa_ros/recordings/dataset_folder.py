"""The folder of a lab dataset: what it says about itself, its splits, and where its files are.

dataset.yaml                     name, version, licence, depth_unit_m, rectified, ...
splits/{train,val,test}.txt      one sample a line, "<bag>/<frame>"
samples/<bag>/camera_info.yaml   the calibration, needed where there is depth
samples/<bag>/<frame>.jpg        colour
samples/<bag>/<frame>.json       annotation
samples/<bag>/<frame>.depth.png  16 bits, registered to colour, 0 = no measurement (optional)
samples/<bag>/<frame>.meta.yaml  stamps, frames, pose (optional)
explanatory/train.json           explanations, as in ReasonSeg (optional)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.documents import decode_text, read_bytes, read_yaml_document
from lisa_ros.recordings.sample_meta import depth_unit

DATASET_FILE = "dataset.yaml"
SPLITS = ("train", "val", "test")
_DEPTH_UNIT_M = 0.001
# Names of a bag and a frame: no separators, nothing hidden, nothing that a shell or a disk mangles,
# or that would be lost as a line of a list: ends of lines, blanks around, bytes that are no text.
_NAME = re.compile(
    r"(?![.\s])[^/\\:*?\"<>|\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]{1,100}(?<!\s)"
)


@dataclass(frozen=True)
class About:
    """`dataset.yaml`. depth_unit_m: metres in one step of the depth images.

    rectified: whether the colour images are; then a calibration's P counts, else its K and D.
    other: further keys, such as created, robot and camera_model.
    """

    name: str
    version: str
    licence: str
    depth_unit_m: float = _DEPTH_UNIT_M
    rectified: bool = True
    other: Mapping[str, Any] = field(default_factory=dict)

    def to_yaml(self) -> bytes:
        """The content of `dataset.yaml`."""
        values = {
            "name": self.name,
            "version": self.version,
            "licence": self.licence,
            "depth_unit_m": self.depth_unit_m,
            "rectified": self.rectified,
            **self.other,
        }
        text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        return text.encode()


@dataclass(frozen=True)
class SamplePaths:
    """The files of one sample; those of depth and meta may not exist."""

    image: Path
    annotation: Path
    depth: Path
    meta: Path
    camera_info: Path


@dataclass(frozen=True)
class DatasetFolder:
    """An opened lab dataset."""

    path: Path
    about: About

    def sample_paths(self, stem: str) -> SamplePaths:
        """Where the files of a sample "<bag>/<frame>" are. Raises DatasetError for another name."""
        bag, frame = split_stem(stem)
        folder = self.path / "samples" / bag
        return SamplePaths(
            image=folder / f"{frame}.jpg",
            annotation=folder / f"{frame}.json",
            depth=folder / f"{frame}.depth.png",
            meta=folder / f"{frame}.meta.yaml",
            camera_info=folder / "camera_info.yaml",
        )

    def split_path(self, split: str) -> Path:
        """Where the samples of a split are listed. Raises DatasetError for an unknown split."""
        if split not in SPLITS:
            raise DatasetError(f"Unknown split {split!r}; expected one of {', '.join(SPLITS)}.")
        return self.path / "splits" / f"{split}.txt"

    def split_stems(self, split: str) -> tuple[str, ...]:
        """The samples of a split, in the order of the file; none if there is no such file.

        Raises:
            DatasetError: unknown split, or a line that is no name of a sample; names the line.

        """
        path = self.split_path(split)
        if not path.exists():
            return ()
        text, _ = decode_text(read_bytes(path), path)
        stems = []
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                split_stem(line.strip())
            except DatasetError as error:
                raise DatasetError(f"{path}, line {number}: {error}") from error
            stems.append(line.strip())
        return tuple(stems)

    def stored_stems(self) -> tuple[str, ...]:
        """All samples on disk, sorted: those with an annotation, which a writer places last."""
        found = (self.path / "samples").glob("*/*.json")
        return tuple(
            sorted(
                f"{path.parent.name}/{path.stem}"
                for path in found
                if not path.name.startswith(".") and not path.parent.name.startswith(".")
            )
        )


def open_dataset(path: Path) -> DatasetFolder:
    """Open the lab dataset in a folder.

    Raises:
        DatasetError: there is none, or its `dataset.yaml` is malformed; says what one needs.

    """
    file = path / DATASET_FILE
    if not file.is_file():
        raise DatasetError(
            f"{path} is no lab dataset: it has no {DATASET_FILE}. Write one with the keys name, "
            "version, licence, depth_unit_m and rectified."
        )
    document = read_yaml_document(file)
    known = ("name", "version", "licence", "depth_unit_m", "rectified")
    if not isinstance(document.values.get("version"), str | int | float):
        document.fail("version", "a string or a number")
    about = About(
        name=document.text("name"),
        version=str(document.values["version"]),
        licence=document.text("licence"),
        depth_unit_m=depth_unit(document) or _DEPTH_UNIT_M,
        rectified=document.flag("rectified", True),
        other={key: value for key, value in document.values.items() if key not in known},
    )
    return DatasetFolder(path, about)


def split_stem(stem: str) -> tuple[str, str]:
    """Bag and frame of a sample's name "<bag>/<frame>".

    Raises:
        DatasetError: not two plain names: absolute, "..", hidden, control characters, too long.

    """
    names = stem.split("/")
    if len(names) != 2 or not all(_NAME.fullmatch(name) for name in names):
        raise DatasetError(
            f"{stem!r} is no name of a sample; expected '<bag>/<frame>', two names of up to 100 "
            'characters of UTF-8 that open with no dot and hold none of / \\ : * ? " < > |.'
        )
    return names[0], names[1]
