"""A dataset that has validation questions of its own, as an evaluation set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.image_files import read_color
from training.data.sample import Sample
from training.evaluation.asked import Asked, AskedImage

LONG, SHORT = "long", "short"


class Validated(Protocol):
    """A dataset with the questions that its published validation asks."""

    @property
    def name(self) -> str:
        """Such as "ReasonSeg|val"."""
        ...

    def __len__(self) -> int:
        """How many images there are."""
        ...

    def validation_sample(self, index: int) -> Sample:
        """One image; masks hold 255 where pixels are ignored, and nothing for an absent target."""
        ...


@dataclass(frozen=True)
class ValidatedSet:
    """See `EvaluationSet`.

    ask: makes the questions of an index's validation sample; what it raises, too.
    """

    dataset: Validated
    ask: Callable[[int, Sample], AskedImage]

    @property
    def name(self) -> str:
        """That of the dataset."""
        return self.dataset.name

    def __len__(self) -> int:
        return len(self.dataset)

    def image(self, index: int) -> AskedImage:
        """Read an image and what is asked about it.

        Raises:
            DatasetError: a file is missing or malformed, or of another size; names it.
            NothingToAskError: all questions about the image are blank.

        """
        return self.ask(index, self.dataset.validation_sample(index))


def asked_image(sample: Sample, forms: Sequence[str], source: str) -> AskedImage:
    """What a validation sample asks: each conversation is one question, and has one mask.

    forms: of the questions, in order. Raises DatasetError where the numbers do not agree.
    """
    if not len(sample.conversations) == len(sample.masks) == len(forms):
        raise DatasetError(
            f"{sample.image} has {len(sample.conversations)} questions, {len(sample.masks)} masks "
            f"and {len(forms)} forms; evaluation needs one mask and one form for each question."
        )
    questions = tuple(
        Asked(turns[0].question, form, source, mask)
        for turns, form, mask in zip(sample.conversations, forms, sample.masks, strict=True)
    )
    name = f"{sample.image.parent.name}/{sample.image.name}"
    pixels = read_color(sample.image) if sample.pixels is None else sample.pixels
    return AskedImage(name, pixels, questions)
