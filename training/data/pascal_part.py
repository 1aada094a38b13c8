"""PASCAL-Part in VLPart's json: 93 parts of objects, on images of PASCAL VOC 2010.

    vlpart/pascal_part/train.json                                        COCO-style
    vlpart/pascal_part/VOCdevkit/VOC2010/JPEGImages/2008_000002.jpg

The index gives the area of boxes, not of masks; nothing here uses it.
"""

from __future__ import annotations

from pathlib import Path

from training.data.part_images import PartImages, open_part_images
from training.data.phrasing import QUESTIONS_PER_IMAGE


def open_pascal_part(
    dataset_dir: Path, max_questions: int = QUESTIONS_PER_IMAGE, upstream_compat: bool = False
) -> PartImages:
    """Open the training split below `dataset_dir`/vlpart/pascal_part.

    Raises:
        DatasetError: the index is missing or malformed.

    """
    root = dataset_dir / "vlpart" / "pascal_part"
    return open_part_images(
        "pascal_part",
        root / "train.json",
        root / "VOCdevkit" / "VOC2010" / "JPEGImages",
        max_questions,
        upstream_compat,
    )
