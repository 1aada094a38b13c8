"""Decodes image files that may be damaged or hostile, at most as large as they should be."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.image_files import UNREADABLE

# More than any RGB-D camera has; 100 MB of RGB.
MAX_PIXELS = 2**25


def decode_image(
    data: bytes, format_name: str, where: str, size: tuple[int, int] | None = None
) -> Image.Image:
    """Decode one image file of the format "JPEG" or "PNG".

    size: the (width, height) that it must have; by default any of at most MAX_PIXELS. It is
    compared with the file's header before anything is decoded.

    Raises:
        DatasetError: another format or size, or damaged; begins with `where`.

    """
    try:
        image = Image.open(io.BytesIO(data), formats=[format_name])
        if size is not None and image.size != size:
            raise DatasetError(
                f"{where}: the image has {image.size[0]}x{image.size[1]} pixels, expected "
                f"{size[0]}x{size[1]}; the file is damaged or belongs to other data."
            )
        if image.size[0] * image.size[1] > MAX_PIXELS:
            raise DatasetError(
                f"{where}: the image has {image.size[0]}x{image.size[1]} pixels, expected at most "
                f"{MAX_PIXELS} in all; the file is damaged or no camera image."
            )
        image.load()
    except (*UNREADABLE, Image.DecompressionBombWarning) as error:
        raise DatasetError(
            f"{where}: not a readable {format_name} image ({error}); copy or download it again."
        ) from error
    return image


def image_size(path: Path) -> tuple[int, int]:
    """The (width, height) of an image file, from its header.

    Raises:
        DatasetError: missing, or no image.

    """
    try:
        with Image.open(path, formats=["JPEG", "PNG"]) as image:
            return image.size
    except (*UNREADABLE, Image.DecompressionBombWarning) as error:
        raise DatasetError(f"{path}: not a readable image ({error}); download it again.") from error


def read_image(path: Path, size: tuple[int, int] | None = None) -> Image.Image:
    """Decode an image file by the format that its suffix names: .png, .jpg or .jpeg.

    Raises:
        DatasetError: missing, another format or size, or damaged; names the file.

    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read ({error.strerror}); download it again."
        ) from error
    return decode_image(data, "PNG" if path.suffix.lower() == ".png" else "JPEG", str(path), size)
