"""What evaluation knows about one answer, and `records.csv`, which holds one a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lisa_ros.errors import DatasetError
from lisa_ros.inference.segmenter import Mode
from training.evaluation.csv_table import optional, read_csv
from training.metrics import mask_iou

# What became of an answer that misses its target; see `attribution`.
Miss = Literal["did not understand", "did not see"]


@dataclass(frozen=True)
class Record:
    """One question and what the model made of it, before rejection.

    dataset: the evaluation set's name. index, image: of the image in it. number: of the question
    about the image. question, answer: as put and as given. masks: how many the answer has; they
    count as one. target_px: pixels of the true mask, 0 where nothing is there to be found.
    predicted_px: pixels of the predicted one. intersection, union: see `pixel_counts`.
    target_error_m: see `target_error`; infinite where the predicted mask could not be lifted, None
    without depth or target. miss: why IoU is below one half; None for a hit, or where nobody
    looked.
    """

    dataset: str
    mode: Mode
    index: int
    image: str
    number: int
    width_px: int
    height_px: int
    form: str
    source: str
    question: str
    answer: str
    masks: int
    target_px: int
    predicted_px: int
    intersection: int
    union: int
    seg_probability: float
    target_error_m: float | None
    miss: Miss | None

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What this answer has in common with another model's answer to the same question."""
        return (self.dataset, self.mode, self.image, self.number)

    @property
    def present(self) -> bool:
        """Whether there is something to be found."""
        return self.target_px > 0

    @property
    def iou(self) -> float:
        """0..1; 1 where nothing is there and nothing is marked."""
        return mask_iou(self.intersection, self.union)


def in_order(records: Iterable[Record]) -> list[Record]:
    """Sort records, so that figures do not depend on who computed which.

    Raises:
        DatasetError: two records of one set are about the same question.

    """
    found = sorted(records, key=lambda r: (r.dataset, r.mode, r.index, r.number))
    counted = Counter(record.key for record in found)
    twice = sorted(key for key, number in counted.items() if number > 1)
    if twice:
        raise DatasetError(
            f"{len(twice)} questions were asked more than once, the first being {twice[0]}: two "
            "images of a set have the same name. Rename one, or name each split once."
        )
    return found


def read_records(path: Path) -> list[Record]:
    """Read a `records.csv`. Raises DatasetError where it is missing or malformed."""
    return read_csv(path, Record, _READERS)


_READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(
        ("index", "number", "width_px", "height_px", "masks", "target_px", "predicted_px"), int
    ),
    "intersection": int,
    "union": int,
    "seg_probability": float,
    "target_error_m": optional(float),
    "miss": optional(str),
}
