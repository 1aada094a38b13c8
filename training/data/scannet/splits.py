"""Which scans belong together: official splits, splits by space, scans that ReasonSeg shows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np

from lisa_ros.errors import DatasetError

_SCAN_ID = re.compile(r"scene\d{4}_\d{2}")
# ReasonSeg's images from ScanNet are called after scan and frame: scene0104_00_0.jpg. What follows
# is not looked at: copies have other endings.
_REASON_SEG_STEM = re.compile(r"(scene\d{4}_\d{2})_")


def is_scan_id(name: str) -> bool:
    """Whether a name has the form scene%04d_%02d."""
    return _SCAN_ID.fullmatch(name) is not None


def space_of(scan_id: str) -> str:
    """The space that a scan shows, scene%04d; several scans may show the same.

    Raises:
        DatasetError: not of the form scene%04d_%02d.

    """
    if not is_scan_id(scan_id):
        raise DatasetError(f"Got scan {scan_id!r}, expected a name like scene0000_00.")
    return scan_id.rpartition("_")[0]


def read_split(path: Path) -> tuple[str, ...]:
    """Read a split file (`scannetv2_train.txt`), one scan a line, and give its scans sorted.

    Raises:
        DatasetError: missing, a line that is no scan, or a scan that stands there twice.

    """
    try:
        lines = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{path}: the split cannot be read ({error}); it is part of ScanNet's repository."
        ) from error
    scans: set[str] = set()
    for number, scan in enumerate(lines, 1):
        if not scan:
            continue
        if not is_scan_id(scan) or scan in scans:
            raise DatasetError(
                f"{path}, line {number}: got {scan[:80]!r}, expected names like scene0000_00, each "
                "once; download the file again."
            )
        scans.add(scan)
    return tuple(sorted(scans))


def split_by_space(
    scans: Iterable[str], held_out_share: float, rng: np.random.Generator
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide scans in two, no space in both: the rest, and about held_out_share of the spaces.

    By scan it would leak: scans of one space show the same room.
    """
    scans = sorted(scans)
    spaces = sorted({space_of(scan) for scan in scans})
    order = rng.permutation(len(spaces))
    held_out = {spaces[at] for at in order[: round(held_out_share * len(spaces))]}
    return (
        tuple(scan for scan in scans if space_of(scan) not in held_out),
        tuple(scan for scan in scans if space_of(scan) in held_out),
    )


def reason_seg_scans(root: Path, splits: Sequence[str] = ("val", "test")) -> frozenset[str]:
    """The scans that occur among the images of a ReasonSeg folder's splits.

    root: the folder that holds `train`, `val` and, where it was downloaded, `test`.

    Raises:
        DatasetError: none of the splits is there.

    """
    folders = [root / split for split in splits if (root / split).is_dir()]
    if not folders:
        raise DatasetError(
            f"{root}: has none of the folders {', '.join(splits)}; give the folder ReasonSeg that "
            "holds them, or train without leaving out its scans."
        )
    stems = (file.stem for folder in folders for file in sorted(folder.iterdir()))
    matches = (_REASON_SEG_STEM.match(stem) for stem in stems)
    return frozenset(match[1] for match in matches if match)


def without_spaces_of(scans: Iterable[str], seen: Collection[str]) -> tuple[str, ...]:
    """Leave out every scan of a space that one of the `seen` scans shows."""
    spaces = {space_of(scan) for scan in seen}
    return tuple(scan for scan in scans if space_of(scan) not in spaces)
