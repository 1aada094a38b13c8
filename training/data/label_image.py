"""Label images: a PNG whose pixels are class numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.image_files import UNREADABLE
from lisa_ros.types import UInt8Array

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BIT_DEPTH, _COLOUR_TYPE = 24, 25  # offsets in the header chunk, which is always the first
_GREY, _PALETTE = 0, 3


def read_label_image(path: Path) -> UInt8Array:
    """Read the numbers that a PNG stores, u8[H,W]: grey values or palette indices, never colours.

    Raises:
        DatasetError: missing, truncated, or not a PNG of one 8-bit channel.

    """
    try:
        _check_header(path)
        with Image.open(path) as image:
            return np.array(image, dtype=np.uint8)
    except UNREADABLE as error:
        raise DatasetError(
            f"Cannot read label image {path}: {error}. Unpack or download it again."
        ) from error


def _check_header(path: Path) -> None:
    """Refuse what Pillow would convert: it stretches grey values of fewer than 8 bits to 0..255."""
    with path.open("rb") as file:
        header = file.read(_COLOUR_TYPE + 1)
    if len(header) <= _COLOUR_TYPE or not header.startswith(_SIGNATURE):
        raise DatasetError(f"Label image {path} is not a PNG. Unpack or download it again.")
    bits, colour_type = header[_BIT_DEPTH], header[_COLOUR_TYPE]
    if colour_type != _PALETTE and (colour_type, bits) != (_GREY, 8):
        raise DatasetError(
            f"Label image {path} has PNG colour type {colour_type} with {bits} bits; expected "
            f"8-bit grey values ({_GREY}) or palette indices ({_PALETTE}). Is it of another "
            "release, or converted?"
        )


def values_in(label: UInt8Array) -> list[int]:
    """List the values that occur, ascending."""
    return [int(v) for v in np.flatnonzero(np.bincount(label.ravel(), minlength=256))]
