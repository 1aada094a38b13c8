"""PACO-LVIS: 75 kinds of objects and 456 parts of them, on COCO's images.

vlpart/paco/annotations/paco_lvis_v1_train.json   COCO-style; ids are not contiguous
coco/train2017/000000000009.jpg                   "file_name" is relative to coco
"""

from __future__ import annotations

from pathlib import Path

from training.data.part_images import PartImages, open_part_images
from training.data.phrasing import QUESTIONS_PER_IMAGE


def open_paco(
    dataset_dir: Path, max_questions: int = QUESTIONS_PER_IMAGE, upstream_compat: bool = False
) -> PartImages:
    """Open the training split below `dataset_dir`/vlpart/paco.

    Raises:
        DatasetError: the index is missing or malformed.

    """
    return open_part_images(
        "paco_lvis",
        dataset_dir / "vlpart" / "paco" / "annotations" / "paco_lvis_v1_train.json",
        dataset_dir / "coco",
        max_questions,
        upstream_compat,
    )
