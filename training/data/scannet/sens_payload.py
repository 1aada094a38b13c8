"""Decodes the colour and depth blobs of a `.sens` recording."""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.geometry.depth import depth_to_metres
from lisa_ros.types import Float32Array, UInt8Array
from training.data.scannet.bounded_image import decode_image
from training.data.scannet.sens_header import ColorCompression, DepthCompression, SensHeader


def decode_color(blob: bytes, header: SensHeader, where: str) -> UInt8Array:
    """Decode a colour blob to u8[H,W,3] RGB.

    Raises:
        DatasetError: damaged, or not of the header's size; begins with `where`.

    """
    size = (header.color_width, header.color_height)
    if header.color_compression == ColorCompression.RAW:
        return np.frombuffer(blob, np.uint8).reshape(size[1], size[0], 3)
    image = decode_image(blob, header.color_compression.name, f"{where}, colour", size)
    if image.mode.startswith("I"):  # which Pillow would cut off at 255
        raise DatasetError(f"{where}: the colour has 16 bits, expected 8; convert the recording.")
    return np.asarray(image.convert("RGB"))


def decode_depth(blob: bytes, header: SensHeader, where: str) -> Float32Array:
    """Decode a depth blob to f32[H,W] metres, NaN where nothing was measured.

    Raises:
        DatasetError: damaged, or it does not inflate to the header's size; begins with `where`.

    """
    if header.depth_compression == DepthCompression.ZLIB:
        blob = _inflate(blob, header.raw_depth_bytes, where)
    steps = np.frombuffer(blob, "<u2").reshape(header.depth_height, header.depth_width)
    return np.take(_metres(header.depth_shift), steps)


@lru_cache(maxsize=8)
def _metres(depth_shift: float) -> Float32Array:
    """The depth f32[65536] of every step there is: looking up is several times faster."""
    steps = np.arange(2**16, dtype=np.uint16)
    return depth_to_metres(steps[None], unit_m=1 / depth_shift).ravel()


def _inflate(blob: bytes, expected: int, where: str) -> bytes:
    """Inflate to exactly `expected` bytes; never to more than one byte above."""
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(blob, expected + 1)
    except zlib.error as error:
        raise DatasetError(
            f"{where}: the depth is no zlib stream ({error}); copy or download the file again."
        ) from error
    if len(data) != expected or not inflater.eof:
        got = f"more than {expected}" if len(data) > expected else f"{len(data)}"
        raise DatasetError(
            f"{where}: the depth inflates to {got} bytes, expected exactly {expected}"
            f"{'' if inflater.eof else ' and the end of the stream'}; copy or download the file "
            "again."
        )
    return data
