"""The names by which upstream's options choose ReasonSeg and referring sets, and what they open.

"ReasonSeg|train", "ReasonSeg|train_val" (any folder of `reason_seg`), "refcoco|unc|testA"; and a
referring set alone, "refcocog", which is its train split by the authors that upstream uses.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from lisa_ros.errors import ConfigurationError
from training.data import grefcoco
from training.data.grefcoco import open_grefcoco
from training.data.phrasing import QUESTIONS_PER_IMAGE
from training.data.reason_seg import EXPLAINED_SPLIT, ReasonSeg
from training.data.refer import ReferringSet, open_refer

# Whose splits upstream trains on, of each referring set.
USUAL_SPLITS_BY = {
    "refclef": "unc",
    "refcoco": "unc",
    "refcoco+": "unc",
    "refcocog": "umd",
    grefcoco.KIND: "unc",
}


class ReasonSegName(NamedTuple):
    """A folder of `reason_seg`, and splits of it."""

    folder: str
    splits: tuple[str, ...]


class ReferName(NamedTuple):
    """A referring set, who made its splits, and one of them."""

    kind: str
    split_by: str
    split: str


def parse_data_string(text: str) -> ReasonSegName | ReferName:
    """Take a name apart; what it names need not exist.

    Raises:
        ConfigurationError: the name is of none of the forms.

    """
    first, *rest = parts = text.split("|")
    if all(parts):
        if first in USUAL_SPLITS_BY and not rest:
            return ReferName(first, USUAL_SPLITS_BY[first], "train")
        if first in USUAL_SPLITS_BY and len(rest) == 2:
            return ReferName(first, *rest)
        if first not in USUAL_SPLITS_BY and len(rest) == 1 and all(rest[0].split("_")):
            return ReasonSegName(first, tuple(rest[0].split("_")))
    raise ConfigurationError(
        f"{text!r} names no dataset. Expected a folder of reason_seg and its splits, such as "
        '"ReasonSeg|train" or "ReasonSeg|train_val", or a referring set, who made its splits, and '
        'a split, such as "refcoco|unc|testA"; referring sets are '
        f"{', '.join(USUAL_SPLITS_BY)}."
    )


def open_data_string(
    dataset_dir: Path,
    text: str,
    *,
    max_questions: int = QUESTIONS_PER_IMAGE,
    reason_only_share: float | None = 0.1,
    upstream_compat: bool = False,
) -> ReasonSeg | ReferringSet:
    """Open what a name names, in the tree that upstream calls `--dataset_dir`.

    max_questions: at most so many about an image. reason_only_share: of ReasonSeg, which reads
    explanations for train only.

    Raises:
        ConfigurationError: the name is of none of the forms.
        DatasetError: there is no such dataset or split, or its index is malformed.

    """
    name = parse_data_string(text)
    if isinstance(name, ReasonSegName):
        return ReasonSeg(
            dataset_dir / "reason_seg" / name.folder,
            name.splits,
            texts_per_image=max_questions,
            reason_only_share=reason_only_share if EXPLAINED_SPLIT in name.splits else None,
            upstream_compat=upstream_compat,
        )
    refer_seg = dataset_dir / "refer_seg"
    asked = max_questions, upstream_compat
    if name.kind == grefcoco.KIND:
        return open_grefcoco(refer_seg, *name[1:], *asked)
    return open_refer(refer_seg, *name, *asked)
