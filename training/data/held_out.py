"""What training must not see, because evaluation asks about it: images of COCO.

Scans of ScanNet are left out by `scannet.splits`.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from lisa_ros.errors import DatasetError
from training.data import grefcoco
from training.data.grefcoco import grefs_file
from training.data.kept_images import KeptImages
from training.data.refer_index import read_refs, refs_file
from training.data.sample import ImageDataset

_LOG = logging.getLogger(__name__)
EVALUATED_REFER_SETS = (("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd"))
_ALSO_IF_THERE = (grefcoco.KIND, "unc")


@runtime_checkable
class OnCoco(Protocol):
    """A dataset that knows which of COCO's images are its own."""

    def coco_numbers(self) -> Sequence[int | None]:
        """COCO's number of each image, by index; None for one that is not of COCO."""
        ...


def coco_images_of_refer_tests(
    refer_seg: Path, sets: Iterable[tuple[str, str]] = EVALUATED_REFER_SETS
) -> frozenset[int]:
    """COCO's ids of the images of all splits but train, of these (set, who made its splits).

    They are images of train2014, and so of train2017 under the same ids: the other sets on COCO,
    and the train splits of other referring sets, contain them.

    Raises:
        DatasetError: a file of refs is missing or malformed.

    """
    return frozenset(
        ref.image_id
        for kind, split_by in sets
        for ref in read_refs(_refs_file(refer_seg, kind, split_by))
        if ref.split != "train"
    )


@functools.cache
def evaluated_coco_images(refer_seg: Path) -> frozenset[int]:
    """The same of those of the sets that are on the disk; read once, in some seconds each.

    Raises:
        DatasetError: a file of refs is malformed, or its set is there without it.

    """
    sets = (*EVALUATED_REFER_SETS, _ALSO_IF_THERE)
    present = [(kind, by) for kind, by in sets if (refer_seg / kind).is_dir()]
    return coco_images_of_refer_tests(refer_seg, present)


def without_evaluated(dataset: ImageDataset, refer_seg: Path) -> ImageDataset:
    """The dataset without the images that the referring sets in `refer_seg` are evaluated on.

    Logs how many that are, which its `counts` tell as well.

    Raises:
        DatasetError: the dataset is not on COCO, nothing is left of it, or refs are malformed.

    """
    if not isinstance(dataset, OnCoco):
        raise DatasetError(
            f"{dataset.name} has no images of COCO, so none can be held out. Open it with the "
            "option hold_out: false."
        )
    try:
        evaluated = evaluated_coco_images(refer_seg)
    except DatasetError as error:
        raise DatasetError(
            f"{error} Of {dataset.name}, images that the referring sets in {refer_seg} are "
            "evaluated on are left out: mend or remove that set, or open this one with the option "
            "hold_out: false."
        ) from error
    numbers = dataset.coco_numbers()
    kept = [index for index, number in enumerate(numbers) if number not in evaluated]
    _LOG.info(
        "%s: %d of %d images are held out, because referring sets are evaluated on them.",
        *(dataset.name, len(numbers) - len(kept), len(numbers)),
    )
    return KeptImages(dataset, kept)


def _refs_file(refer_seg: Path, kind: str, split_by: str) -> Path:
    find = grefs_file if kind == grefcoco.KIND else refs_file
    return find(refer_seg / kind, split_by)
