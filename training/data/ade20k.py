"""ADE20K as the scene parsing challenge published it: 150 classes, one label image an image.

    ade20k/images/training/ADE_train_00000001.jpg
    ade20k/annotations/training/ADE_train_00000001.png   8 bits: 0 = other, k = class k

This is not the full ADE20K release, whose labels are spread over the channels of `_seg.png` files.
"""

from __future__ import annotations

from pathlib import Path

from training.data.class_names import shipped_class_names
from training.data.labelled_images import IMAGE_SUFFIX, LabelledImages, existing_folder, stems_in
from training.data.phrasing import QUESTIONS_PER_IMAGE

# 255 is no value of the published labels; upstream ignores it too.
_IGNORED = frozenset({0, 255})


def open_ade20k(dataset_dir: Path, max_questions: int = QUESTIONS_PER_IMAGE) -> LabelledImages:
    """Open the training split below `dataset_dir`/ade20k.

    Upstream's class number is the pixel value less one; here classes are known by their value.

    Raises:
        DatasetError: a folder is missing or empty.

    """
    root = dataset_dir / "ade20k"
    images = root / "images" / "training"
    return LabelledImages(
        name="ade20k",
        image_folder=images,
        label_folder=existing_folder(root / "annotations" / "training"),
        stems=stems_in(images, IMAGE_SUFFIX),
        class_names=dict(enumerate(shipped_class_names("ade20k_classes.txt"), start=1)),
        ignored_values=_IGNORED,
        max_questions=max_questions,
    )
