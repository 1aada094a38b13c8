"""Colour and depth images of a lab dataset: reading with typed errors, and encoding."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lisa_ros.errors import DatasetError
from lisa_ros.types import Float32Array, UInt8Array

MAX_PIXELS = 64 * 2**20
JPEG_QUALITY = 95
UPRIGHT = 1
_EXIF_ORIENTATION = 0x0112
_MOST_STEPS = 65535
# What Pillow raises for bytes that are not, or no longer, an image.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


@contextmanager
def opened_image(path: Path) -> Iterator[Image.Image]:
    """Open an image file; pixels are decoded when asked for, and EXIF is never applied.

    Raises:
        DatasetError: missing, not an image, too large, or truncated where decoding shows it.

    """
    with _opened(path, str(path)) as image:
        yield image


@contextmanager
def opened_image_bytes(content: bytes, where: str) -> Iterator[Image.Image]:
    """Open the content of an image file that is part of another one, as `opened_image` does."""
    with _opened(io.BytesIO(content), where) as image:
        yield image


@contextmanager
def _opened(source: Path | io.BytesIO, where: str) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            # Pillow warns of large images; the limit here is stricter.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(source)
        with image:
            if image.width * image.height > MAX_PIXELS:
                raise DatasetError(
                    f"{where} has {image.width}x{image.height} pixels; expected at most "
                    f"{MAX_PIXELS}. Store a smaller image."
                )
            yield image
    except UNREADABLE as error:
        raise DatasetError(f"Cannot read the image {where}: {error}. Write it again.") from error


def exif_orientation(image: Image.Image) -> int:
    """How a picture is to be turned or mirrored to be shown, 2 to 8; `UPRIGHT`: not at all."""
    way = image.getexif().get(_EXIF_ORIENTATION)
    return way if isinstance(way, int) and 2 <= way <= 8 else UPRIGHT


def read_color(path: Path) -> UInt8Array:
    """u8[H,W,3] RGB, the pixels as stored. Raises DatasetError naming the file."""
    with opened_image(path) as image:
        return np.array(image.convert("RGB"))


def read_depth_steps(path: Path) -> npt.NDArray[np.uint16]:
    """u16[H,W], 0 where nothing was measured.

    Raises:
        DatasetError: missing, unreadable, or not one channel of 16 bits; names the file.

    """
    with opened_image(path) as image:
        # Older Pillows open 16 bits as "I".
        if image.format != "PNG" or image.mode not in ("I;16", "I;16B", "I"):
            raise DatasetError(
                f"{path} is {image.format} of mode {image.mode!r}; expected a PNG of one channel "
                "with 16 bits (mode 'I;16'). Write depth as such, never as JPEG or 8 bits."
            )
        return np.array(image).astype(np.uint16)


def jpeg_bytes(image: UInt8Array) -> bytes:
    """Encode u8[H,W,3] RGB with full colour resolution."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return stream.getvalue()


def depth_png_bytes(depth_m: Float32Array, unit_m: float) -> bytes:
    """Encode f32[H,W] metres in steps of unit_m; what is NaN, negative or too far becomes 0."""
    with np.errstate(invalid="ignore"):
        steps: npt.NDArray[Any] = np.round(depth_m.astype(np.float64) / unit_m)
        stored = np.where((steps > 0) & (steps <= _MOST_STEPS), steps, 0).astype(np.uint16)
    stream = io.BytesIO()
    Image.fromarray(stored).save(stream, "PNG")
    return stream.getvalue()
