"""The image of a sample on disk: its size, and what may be wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.image_files import UNREADABLE, UPRIGHT, exif_orientation
from lisa_ros.types import UInt8Array
from training.data.sample import Problem, Sample


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) in px, from the file's head: EXIF does not count.

    Raises:
        DatasetError: the file is missing, or no image.

    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def orientation(path: Path) -> int:
    """How EXIF says that the picture is to be turned; `UPRIGHT`: not at all.

    Raises:
        DatasetError: the file is missing, or no image.

    """
    try:
        with Image.open(path) as image:
            return exif_orientation(image)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def upright_pixels(path: Path) -> UInt8Array | None:
    """The picture u8[H,W,3] RGB as EXIF says it is to be shown; None where it is stored so.

    Raises:
        DatasetError: the file is missing, or no image.

    """
    if orientation(path) == UPRIGHT:
        return None
    try:
        with Image.open(path) as image:
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def read_image(sample: Sample) -> UInt8Array:
    """The image of a sample, u8[H,W,3] RGB; EXIF orientation is not applied.

    Raises:
        DatasetError: the file cannot be read as an image, or has another size than the masks.

    """
    if sample.pixels is not None:
        pixels = sample.pixels
    else:
        try:
            with Image.open(sample.image) as file:
                pixels = np.asarray(file.convert("RGB"))
        except UNREADABLE as error:
            raise DatasetError(f"{sample.image} cannot be read as an image: {error}.") from error
    if pixels.shape[:2] != sample.masks.shape[1:]:
        height, width = pixels.shape[:2]
        raise DatasetError(
            f"{sample.image} is {width}x{height}, its masks "
            f"{sample.masks.shape[2]}x{sample.masks.shape[1]}."
        )
    return pixels


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


def image_problems(
    path: Path, size: tuple[int, int] | None = None, *, turned: bool = False
) -> Iterator[Problem]:
    """Decode the whole image.

    size: the (height, width) that it should have. turned: whether it is used as EXIF says.
    """
    try:
        if size is not None:
            checked_size(path, size)
        with Image.open(path) as image:
            image.load()
            way = exif_orientation(image)
    except UNREADABLE as error:
        yield Problem("error", path, f"cannot be decoded: {error}; download it again")
        return
    except DatasetError as error:
        yield Problem("error", path, str(error))
        return
    if way != UPRIGHT:
        told = (
            "is applied, as upstream does: its annotation must be for the upright picture"
            if turned
            else "is not applied: annotations must be for the pixels as stored"
        )
        yield Problem("warning", path, f"has EXIF orientation {way}, which {told}")


def _unreadable(path: Path, error: Exception) -> DatasetError:
    return DatasetError(
        f"Cannot open image {path}: {error}. Download it again, or remove its annotation."
    )
