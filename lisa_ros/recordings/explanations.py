"""Explanations of answers, `explanatory/train.json`, as ReasonSeg has them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from lisa_ros.recordings.dataset_folder import DatasetFolder, split_stem
from lisa_ros.recordings.documents import mappings, read_json

_SUFFIX = ".jpg"


class Explanation(NamedTuple):
    """Why the answer to `query` about a sample is the right one."""

    stem: str
    query: str
    text: str


def explanations_path(folder: DatasetFolder) -> Path:
    """Where the explanations of a dataset are, if it has any."""
    return folder.path / "explanatory" / "train.json"


def read_explanations(folder: DatasetFolder) -> tuple[Explanation, ...]:
    """The explanations in the order of the file; none if there is no file.

    Raises:
        DatasetError: malformed, or an image whose name is none of a sample; names the entry.

    """
    path = explanations_path(folder)
    if not path.exists():
        return ()
    found = []
    for entry in mappings(read_json(path), str(path)):
        image = entry.text("image")
        if not image.endswith(_SUFFIX):
            entry.fail("image", "'<bag>/<frame>.jpg'")
        stem = image.removesuffix(_SUFFIX)
        split_stem(stem)
        found.append(Explanation(stem, entry.text("query"), entry.text("outputs")))
    return tuple(found)
