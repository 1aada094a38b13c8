"""What training must not see, because evaluation asks about it: ScanNet scans and COCO images."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from training.data.reason_seg import list_images
from training.data.refer import refs_file
from training.data.refer_index import read_refs

# <space>_<scan>_<frame>, as ReasonSeg names the images that it took from ScanNet.
_SCAN_FRAME = re.compile(r"(scene\d{4}_\d{2})_")
EVALUATED_REFER_SETS = (("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd"))


def scans_in_reason_seg(folder: Path, splits: Iterable[str] = ("val", "test")) -> frozenset[str]:
    """Scans such as "scene0104_00" whose frames are images of these splits.

    Scans of one space, "scene0104", show the same room: leave out all of them.

    Raises:
        DatasetError: a split has no folder (test is a download of its own) or no images.

    """
    names = (image.name for split in splits for image in list_images(folder / split))
    found = (_SCAN_FRAME.match(name) for name in names)
    return frozenset(match[1] for match in found if match)


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
        for ref in read_refs(refs_file(refer_seg / kind, split_by))
        if ref.split != "train"
    )
