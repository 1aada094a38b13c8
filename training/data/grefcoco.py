"""gRefCOCO: phrases that mean several objects of an image, or none, which is then to be refused.

Source: henghuiding/gRefCOCO, beside the other referring sets: `refer_seg/grefcoco/{instances.json,
grefs(unc).json}`; a pickle `grefs(unc).p` of the same content is read too.
"""

from __future__ import annotations

from pathlib import Path

from lisa_ros.errors import DatasetError
from training.data.phrasing import QUESTIONS_PER_IMAGE
from training.data.refer import ReferringSet, open_split

KIND = "grefcoco"


def open_grefcoco(
    refer_seg: Path,
    split_by: str,
    split: str,
    max_questions: int = QUESTIONS_PER_IMAGE,
    upstream_compat: bool = False,
) -> ReferringSet:
    """Open a split of gRefCOCO; a target is the union of its objects.

    Raises:
        DatasetError: a file is missing or malformed, or there is no such split.

    """
    refs = grefs_file(refer_seg / KIND, split_by)
    name = f"{KIND}|{split_by}|{split}"
    return open_split(refer_seg, name, refs, max_questions, upstream_compat)


def grefs_file(folder: Path, split_by: str) -> Path:
    """Where the refs of these splits are: JSON as released, or a pickle.

    Raises:
        DatasetError: there is neither.

    """
    for suffix in (".json", ".p"):
        path = folder / f"grefs({split_by}){suffix}"
        if path.is_file():
            return path
    raise DatasetError(
        f"There is neither grefs({split_by}).json nor grefs({split_by}).p in {folder}. Check the "
        "dataset's folder and who made the splits (unc)."
    )
