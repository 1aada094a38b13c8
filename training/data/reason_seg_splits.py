"""The splits of a ReasonSeg folder: their images, and what one shares with another."""

from __future__ import annotations

import filecmp
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from lisa_ros.errors import DatasetError
from training.data.sample import Problem
from training.data.scannet.splits import reason_seg_scans, space_of

_IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png")
_SPLITS = ("train", "val", "test")


def list_images(folder: Path) -> tuple[Path, ...]:
    """The images of a split's folder, sorted; hidden ones do not count, nor the suffix's case.

    Raises:
        DatasetError: there is no such folder, or no image in it.

    """
    if not folder.is_dir():
        present = sorted(p.name for p in folder.parent.glob("*") if p.is_dir())
        raise DatasetError(
            f"There is no folder {folder}; found: {', '.join(present) or 'nothing'}. Check the "
            "name of the split and the dataset's folder."
        )
    images = _images_in(folder)
    if not images:
        raise DatasetError(f"{folder} has no image ({', '.join(_IMAGE_SUFFIXES)}).")
    return images


def split_leaks(folder: Path, splits: Sequence[str]) -> Iterator[Problem]:
    """What other splits on disk share with these: pictures, and rooms of ScanNet.

    Training on one then spoils the evaluation on the other. Warnings, since they are published so.
    """
    images = [image for split in splits for image in _images_in(folder / split)]
    spaces = _spaces(folder, splits)
    for other in (folder / split for split in _SPLITS if split not in splits):
        if not other.is_dir():
            continue
        yield from _copies(images, _images_in(other))
        shared = sorted(spaces & _spaces(folder, [other.name]))
        if shared:
            yield Problem(
                "warning",
                other,
                f"shows {len(shared)} rooms that {' and '.join(splits)} shows too, such as "
                f"{shared[0]}; figures on one say less after training on the other",
            )


def _images_in(folder: Path) -> tuple[Path, ...]:
    """The images of a folder, sorted; none if it is none. Hidden ones do not count."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    visible = (path for path in files if not path.name.startswith("."))
    return tuple(path for path in visible if path.suffix.lower() in _IMAGE_SUFFIXES)


def _spaces(folder: Path, splits: Sequence[str]) -> frozenset[str]:
    return frozenset(space_of(scan) for scan in reason_seg_scans(folder, splits))


def _copies(images: Collection[Path], others: Collection[Path]) -> Iterator[Problem]:
    """Pictures that are among the others: by content, since copies may be renamed."""
    by_size: dict[int, list[Path]] = {}
    for image in filter(Path.is_file, images):
        by_size.setdefault(image.stat().st_size, []).append(image)
    for other in filter(Path.is_file, others):
        for image in by_size.get(other.stat().st_size, ()):
            if filecmp.cmp(image, other, shallow=False):
                message = f"is the picture of {other} too: a leak between splits"
                yield Problem("warning", image, message)
