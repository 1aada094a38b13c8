"""COCO-Stuff 164k: things and stuff on COCO's images, one label image an image.

cocostuff/train2017/000000000009.png   8 bits: label number less one, 255 = unlabelled
cocostuff/labels.txt                   optional: lines "0: unlabeled", "1: person", ...
coco/train2017/000000000009.jpg
"""

from __future__ import annotations

from pathlib import Path

from lisa_ros.errors import DatasetError
from training.data.class_names import shipped_class_names
from training.data.labelled_images import LABEL_SUFFIX, LabelledImages, existing_folder, stems_in
from training.data.phrasing import QUESTIONS_PER_IMAGE, checked_text

_UNLABELLED = 255


def open_coco_stuff(dataset_dir: Path, max_questions: int = QUESTIONS_PER_IMAGE) -> LabelledImages:
    """Open the training split below `dataset_dir`/cocostuff, with images of `dataset_dir`/coco.

    Classes whose name has a "-" are never asked for, as upstream: nobody says "wall-other". Where
    the set comes with its labels.txt, names are read from there, else from the list that ships.

    Raises:
        DatasetError: a folder is missing or empty, or labels.txt is malformed.

    """
    labels = dataset_dir / "cocostuff" / "train2017"
    published = dataset_dir / "cocostuff" / "labels.txt"
    if published.exists():
        names = read_labels_txt(published)
    else:
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


def read_labels_txt(path: Path) -> tuple[str, ...]:
    """Read "number: name" lines; the names from label 1 on, so that the index is the pixel value.

    Raises:
        DatasetError: not text, another form of line, or numbers that do not count up from 0.

    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as text: {error}.") from error
    names = []
    for number, line in enumerate(lines):
        label, _, name = line.partition(":")
        if label.strip() != str(number):
            raise DatasetError(
                f"{path}, line {number + 1}: got {line[:60]!r}, expected '{number}: name'. "
                "Use the labels.txt of COCO-Stuff, or remove it."
            )
        names.append(checked_text(name.strip(), f"Line {number + 1} of {path}"))
    return tuple(names[1:])
