"""ReasonSeg and the referring sets, asked as published validation asks."""

from __future__ import annotations

import re
from pathlib import Path

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.image_files import read_color
from training.data.data_strings import open_data_string
from training.data.reason_seg import ReasonSeg
from training.data.reason_seg_annotation import read_annotation
from training.data.refer import ReferringSet
from training.data.sample import Sample
from training.evaluation.asked import Asked, AskedImage

LONG, SHORT = "long", "short"
# ReasonSeg took its images from these two; a frame of a scan bears the scan's name.
_SCAN = re.compile(r"scene\d{4}_\d{2}_")
_SCANNET, _OPEN_IMAGES = "ScanNet", "OpenImages"


class ReasonSegEvaluation:
    """ReasonSeg: the first text of each image, a sentence ("long") or a phrase ("short")."""

    def __init__(self, dataset: ReasonSeg) -> None:
        self._dataset = dataset

    @property
    def name(self) -> str:
        """Such as "ReasonSeg|val"."""
        return self._dataset.name

    def __len__(self) -> int:
        return len(self._dataset)

    def image(self, index: int) -> AskedImage:
        """Ask with the first text. Raises DatasetError naming the file."""
        sample = self._dataset.validation_sample(index)
        annotation = read_annotation(sample.image.with_suffix(".json"))
        source = _SCANNET if _SCAN.match(sample.image.name) else _OPEN_IMAGES
        form = LONG if annotation.is_sentence else SHORT
        return asked_image(sample, [form] * len(sample.conversations), source)


class ReferringEvaluation:
    """refCOCO, refCOCO+, refCOCOg, refCLEF or gRefCOCO: every sentence of every image."""

    def __init__(self, dataset: ReferringSet) -> None:
        self._dataset = dataset

    @property
    def name(self) -> str:
        """Such as "refcoco|unc|testA"."""
        return self._dataset.name

    def __len__(self) -> int:
        return len(self._dataset)

    def image(self, index: int) -> AskedImage:
        """Ask with every sentence; what is not there has an empty true mask.

        Raises:
            DatasetError: the image is missing or of another size, a mask or a sentence malformed.
            NothingToAskError: all sentences about the image are blank.

        """
        sample = self._dataset.validation_sample(index)
        source = self.name.partition("|")[0]
        return asked_image(sample, [SHORT] * len(sample.conversations), source)


def open_public_set(dataset_dir: Path, name: str) -> ReasonSegEvaluation | ReferringEvaluation:
    """Open "ReasonSeg|val", "refcoco|unc|testA", "grefcoco|unc|val", ... in upstream's tree.

    Raises:
        ConfigurationError: the name is of none of the forms.
        DatasetError: there is no such dataset or split, or its index is malformed.

    """
    dataset = open_data_string(dataset_dir, name, reason_only_share=None)
    if isinstance(dataset, ReasonSeg):
        return ReasonSegEvaluation(dataset)
    return ReferringEvaluation(dataset)


def asked_image(sample: Sample, forms: list[str], source: str) -> AskedImage:
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
