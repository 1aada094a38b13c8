"""ReasonSeg and the referring sets, asked as published validation asks."""

from __future__ import annotations

import re
from pathlib import Path

from training.data.data_strings import open_data_string
from training.data.reason_seg import ReasonSeg
from training.data.reason_seg_annotation import read_annotation
from training.data.sample import Sample
from training.evaluation.asked import AskedImage
from training.evaluation.validated_set import LONG, SHORT, ValidatedSet, asked_image

# ReasonSeg took its images from these two; a frame of a scan bears the scan's name.
_SCAN = re.compile(r"scene\d{4}_\d{2}_")
_SCANNET, _OPEN_IMAGES = "ScanNet", "OpenImages"


def open_public_set(dataset_dir: Path, name: str) -> ValidatedSet:
    """Open "ReasonSeg|val", "refcoco|unc|testA", "grefcoco|unc|val", ... in upstream's tree.

    ReasonSeg asks with the first text of each image, a sentence ("long") or a phrase ("short");
    referring sets with every sentence, and what is not there has an empty true mask.

    Raises:
        ConfigurationError: the name is of none of the forms.
        DatasetError: there is no such dataset or split, or its index is malformed.

    """
    dataset = open_data_string(dataset_dir, name, reason_only_share=None)
    if isinstance(dataset, ReasonSeg):
        return ValidatedSet(dataset, lambda _, sample: _asked_of_reason_seg(sample))
    source = dataset.name.partition("|")[0]
    return ValidatedSet(
        dataset, lambda _, sample: asked_image(sample, [SHORT] * len(sample.conversations), source)
    )


def _asked_of_reason_seg(sample: Sample) -> AskedImage:
    """Raises DatasetError naming the image's annotation."""
    annotation = read_annotation(sample.image.with_suffix(".json"))
    source = _SCANNET if _SCAN.match(sample.image.name) else _OPEN_IMAGES
    form = LONG if annotation.is_sentence else SHORT
    return asked_image(sample, [form] * len(sample.conversations), source)
