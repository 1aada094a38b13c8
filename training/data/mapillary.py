"""Mapillary Vistas v2.0: street scenes with 124 classes, one label image an image.

mapillary/config_v2.0.json                        labels: list index = pixel value
mapillary/training/images/<key>.jpg
mapillary/training/v2.0/labels/<key>.png          8-bit palette; colours are not unique
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from training.data.fields import field, read_json
from training.data.labelled_images import IMAGE_SUFFIX, LabelledImages, existing_folder, stems_in
from training.data.phrasing import QUESTIONS_PER_IMAGE, checked_text

# Car mount, dynamic, ego vehicle, ground, static and unlabeled of the published 124.
_VOID_VALUES = range(118, 124)
_VOID_FAMILY = "void--"


def open_mapillary(
    dataset_dir: Path, max_questions: int = QUESTIONS_PER_IMAGE, upstream_compat: bool = False
) -> LabelledImages:
    """Open the training split below `dataset_dir`/mapillary.

    Classes that the set itself does not evaluate, and the void ones (values 118 to 123, and what
    is named "void--..."), are not asked for. upstream_compat: ask for these too, as upstream does,
    down to "segment the unlabeled".

    Raises:
        DatasetError: a folder is missing or empty, or the configuration is malformed.

    """
    root = dataset_dir / "mapillary"
    images = root / "training" / "images"
    config = root / "config_v2.0.json"
    names, asked = {}, {}
    for value, entry in enumerate(field(read_json(config), "labels", list, str(config))):
        where = f"label {value} of {config}"
        names[value] = checked_text(field(entry, "readable", str, where), where)
        if upstream_compat or not _is_void(value, entry, where):
            asked[value] = names[value]
    return LabelledImages(
        name="mapillary",
        image_folder=images,
        label_folder=existing_folder(root / "training" / "v2.0" / "labels"),
        stems=stems_in(images, IMAGE_SUFFIX),
        class_names=asked,
        ignored_values=frozenset(names.keys() - asked.keys()),
        max_questions=max_questions,
    )


def _is_void(value: int, entry: Mapping[str, object], where: str) -> bool:
    void = value in _VOID_VALUES or field(entry, "name", str, where).startswith(_VOID_FAMILY)
    return void or entry.get("evaluate") is False
