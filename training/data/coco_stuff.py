"""COCO-Stuff 164k: things and stuff on COCO's images, one label image an image.

cocostuff/train2017/000000000009.png   8 bits: label number less one, 255 = unlabelled
coco/train2017/000000000009.jpg
"""

from __future__ import annotations

from pathlib import Path

from training.data.class_names import shipped_class_names
from training.data.labelled_images import LABEL_SUFFIX, LabelledImages, existing_folder, stems_in
from training.data.phrasing import QUESTIONS_PER_IMAGE

_UNLABELLED = 255


def open_coco_stuff(dataset_dir: Path, max_questions: int = QUESTIONS_PER_IMAGE) -> LabelledImages:
    """Open the training split below `dataset_dir`/cocostuff, with images of `dataset_dir`/coco.

    Classes whose name has a "-" are never asked for, as upstream: nobody says "wall-other".

    Raises:
        DatasetError: a folder is missing or empty.

    """
    labels = dataset_dir / "cocostuff" / "train2017"
    names = shipped_class_names("coco_stuff_classes.txt")
    asked = {value: name for value, name in enumerate(names) if "-" not in name}
    return LabelledImages(
        name="cocostuff",
        image_folder=existing_folder(dataset_dir / "coco" / "train2017"),
        label_folder=labels,
        stems=stems_in(labels, LABEL_SUFFIX),
        class_names=asked,
        ignored_values=frozenset({_UNLABELLED, *range(len(names))} - asked.keys()),
        max_questions=max_questions,
    )
