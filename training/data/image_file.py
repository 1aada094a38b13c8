"""The image of a sample on disk: its size, and what may be wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.image_files import UNREADABLE
from training.data.sample import Problem

_EXIF_ORIENTATION = 0x0112
_UPRIGHT = 1


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) in px, from the file's head: EXIF does not count.

    Raises:
        DatasetError: the file is missing, or no image.

    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except UNREADABLE as error:
        raise DatasetError(
            f"Cannot open image {path}: {error}. Download it again, or remove its annotation."
        ) from error


def checked_size(path: Path, size: tuple[int, int]) -> None:
    """Compare the file's size with the (height, width) that its annotation gives.

    Raises:
        DatasetError: they differ, or there is no image.

    """
    found = image_size(path)
    if found != size:
        raise DatasetError(
            f"{path} is {found[1]}x{found[0]} px, but its annotation is for {size[1]}x{size[0]}. "
            "Use the original image."
        )


def image_problems(path: Path, size: tuple[int, int] | None = None) -> Iterator[Problem]:
    """Decode the whole image; `size` is the (height, width) that it should have."""
    try:
        if size is not None:
            checked_size(path, size)
        with Image.open(path) as image:
            image.load()
            orientation = image.getexif().get(_EXIF_ORIENTATION, _UPRIGHT)
    except UNREADABLE as error:
        yield Problem("error", path, f"cannot be decoded: {error}; download it again")
        return
    except DatasetError as error:
        yield Problem("error", path, str(error))
        return
    if orientation != _UPRIGHT:
        yield Problem(
            "warning",
            path,
            f"has EXIF orientation {orientation}, which is not applied: annotations must be for "
            "the pixels as stored",
        )
