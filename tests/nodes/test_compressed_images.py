"""Compressed messages: what image_transport's plugins write, and what nobody should."""

from __future__ import annotations

import array
import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest

pytest.importorskip("sensor_msgs")

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from rvl_writer import rvl_stream
from sensor_msgs.msg import CompressedImage

from lisa_ros.errors import DepthError, ImageError
from lisa_ros.nodes.compressed_images import color_from_compressed, depth_from_compressed

RGB = np.array(
    [[(250, 10, 20), (10, 240, 30)], [(5, 15, 235), (128, 128, 128)], [(0, 0, 0), (255, 255, 255)]],
    dtype=np.uint8,
)
LEVELS = np.array([[0, 1, 258], [65535, 1000, 4096]], dtype=np.uint16)


def file_of(pixels: np.ndarray, kind: str = "PNG", **options: int) -> bytes:
    file = io.BytesIO()
    PillowImage.fromarray(pixels).save(file, format=kind, **options)
    return file.getvalue()


def message(text: str, data: bytes) -> CompressedImage:
    return CompressedImage(format=text, data=array.array("B", data))


def depth_message(
    text: str, coded: bytes, scale: float = 0.0, offset: float = 0.0
) -> CompressedImage:
    return message(text, struct.pack("<iff", 0, scale, offset) + coded)


def rvl_of(levels: np.ndarray) -> bytes:
    rows, columns = levels.shape
    return struct.pack("<II", columns, rows) + rvl_stream(levels.reshape(-1).tolist())


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG file of a few bytes, well-formed but for its data, that is this large by its header."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    data = zlib.compress(bytes(100))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("text", ["png", "rgb8; png compressed bgr8", "bgr8; png compressed bgr8"])
def test_png_colours_are_those_of_the_file(text: str) -> None:
    image = color_from_compressed(message(text, file_of(RGB)))
    np.testing.assert_array_equal(image, RGB)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous


def test_jpeg_colours_are_near_those_of_the_camera() -> None:
    flat = np.full((16, 24, 3), (200, 40, 90), np.uint8)
    image = color_from_compressed(message("rgb8; jpeg compressed bgr8", file_of(flat, "JPEG")))
    assert image.shape == flat.shape
    assert np.abs(image.astype(int) - flat).max() <= 4


def test_sender_that_stored_red_as_blue_says_so() -> None:
    stored = message("rgb8; png compressed rgb8", file_of(RGB[:, :, ::-1]))
    np.testing.assert_array_equal(color_from_compressed(stored), RGB)


def test_grey_and_transparent_files_become_rgb() -> None:
    grey = RGB[:, :, 0]
    image = color_from_compressed(message("mono8; png compressed ", file_of(grey)))
    np.testing.assert_array_equal(image, np.dstack([grey] * 3))
    transparent = np.dstack([RGB, np.full(RGB.shape[:2], 7, np.uint8)])
    image = color_from_compressed(message("bgra8; png compressed bgr8", file_of(transparent)))
    np.testing.assert_array_equal(image, RGB)


@pytest.mark.parametrize("text", ["16UC1; compressedDepth png", "16UC1; compressedDepth", "16UC1"])
def test_depth_png_keeps_every_value(text: str) -> None:
    levels = depth_from_compressed(depth_message(text, file_of(LEVELS)))
    np.testing.assert_array_equal(levels, LEVELS)
    assert levels.dtype == np.uint16


def test_depth_rvl_keeps_every_value() -> None:
    levels = depth_from_compressed(depth_message("16UC1; compressedDepth rvl", rvl_of(LEVELS)))
    np.testing.assert_array_equal(levels, LEVELS)


@pytest.mark.parametrize("compression", ["png", "rvl"])
def test_quantised_inverse_depth(compression: str) -> None:
    # 1000 / (q - 1): 2 m, 0.5 m, the farthest that can be told, and no measurement.
    levels = np.array([[501, 2001], [2, 0]], np.uint16)
    coded = file_of(levels) if compression == "png" else rvl_of(levels)
    text = f"32FC1; compressedDepth {compression}"
    depth_m = depth_from_compressed(depth_message(text, coded, scale=1000.0, offset=1.0))
    np.testing.assert_allclose(depth_m, [[2.0, 0.5], [1000.0, np.nan]])
    assert depth_m.dtype == np.float32


@given(st.lists(st.floats(0.3, 9.9), min_size=1, max_size=30))
def test_quantisation_is_undone_to_its_own_step(depths_m: list[float]) -> None:
    # As the plugin chooses them for depth_quantization 100 and depth_max 10 m.
    scale = 100.0 * 101.0
    offset = 1.0 - scale / 10.0
    depth = np.array([depths_m])
    levels = (scale / depth + offset).astype(np.uint16)
    coded = depth_message("32FC1; compressedDepth png", file_of(levels), scale, offset)
    error_m = np.abs(depth_from_compressed(coded) - depth)
    assert np.all(error_m <= 1.01 * depth**2 / scale + 1e-3)


@pytest.mark.parametrize(
    ("text", "data", "words"),
    [
        ("jpeg", b"", "0 bytes cannot be read"),
        ("jpeg", b"rubbish", "cannot be read"),
        ("jpeg", file_of(RGB, "JPEG")[:-40], "cannot be read"),
        ("png", file_of(RGB)[:40], "cannot be read"),
        ("gif", file_of(RGB[:, :, 0], "GIF"), "whole JPEG or PNG"),
        ("16UC1; png compressed ", file_of(LEVELS), "is a depth topic connected"),
        ("bayer_rggb8; png compressed ", file_of(RGB[:, :, 0]), "debayer"),
        ("png", png_that_claims(4000, 4000), "claims 4000x4000"),
        ("png", png_that_claims(2**31 - 1, 2**31 - 1), "image"),
    ],
)
def test_damaged_colour_is_an_error_that_names_the_fault(
    text: str, data: bytes, words: str
) -> None:
    with pytest.raises(ImageError, match=words):
        color_from_compressed(message(text, data))


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (message("16UC1; compressedDepth png", b""), "0 bytes"),
        (message("16UC1; compressedDepth png", bytes(12)), "12 bytes"),
        (depth_message("rgb8; jpeg compressed bgr8", file_of(RGB)), "has the format"),
        (depth_message("16UC1; compressedDepth zstd", file_of(LEVELS)), "has the format"),
        (depth_message("16UC1; compressedDepth png", file_of(RGB)), "mode RGB"),
        (depth_message("16UC1; compressedDepth png", file_of(RGB, "JPEG")), "JPEG"),
        (depth_message("16UC1; compressedDepth png", file_of(LEVELS)[:50]), "cannot be read"),
        (depth_message("16UC1; compressedDepth png", png_that_claims(2000, 2000)), "claims"),
        (depth_message("32FC1; compressedDepth png", file_of(LEVELS)), "quantised with A=0.0"),
        (depth_message("32FC1; compressedDepth png", file_of(LEVELS), np.nan, 1.0), "A=nan"),
        (depth_message("16UC1; compressedDepth rvl", b"1234"), "holds 4 bytes"),
        (depth_message("16UC1; compressedDepth rvl", struct.pack("<II", 0, 5)), "0x5 pixels"),
        (
            depth_message("16UC1; compressedDepth rvl", struct.pack("<II", 2**32 - 1, 2**32 - 1)),
            "claims 4294967295x4294967295",
        ),
        (depth_message("16UC1; compressedDepth rvl", rvl_of(LEVELS)[:-4]), "RVL depth"),
    ],
)
def test_damaged_depth_is_an_error_that_names_the_fault(
    stored: CompressedImage, words: str
) -> None:
    with pytest.raises(DepthError, match=words):
        depth_from_compressed(stored)


@pytest.mark.parametrize("size", [(4000, 4000), (20_000, 9_000)])
def test_pixels_are_not_touched_before_the_claim_is_checked(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(self: PillowImage.Image) -> None:
        pytest.fail(f"reads {self.size}")

    bomb = message("png", png_that_claims(*size))
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", read)
    with pytest.raises(ImageError):
        color_from_compressed(bomb)


def test_a_jpeg_that_refines_itself_for_ever_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand scans of 33 bytes over 4096x4096 pixels took half a minute."""
    whole = file_of(np.full((64, 64), 90, np.uint8), "JPEG", progressive=True)
    color_from_compressed(message("jpeg", whole))
    last_scan = whole[whole.rindex(b"\xff\xda") : -2]
    bomb = message("jpeg", whole[:-2] + 1000 * last_scan + whole[-2:])
    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.load", lambda _: pytest.fail("read"))
    with pytest.raises(ImageError, match="at most 32"):
        color_from_compressed(bomb)


@settings(max_examples=200)
@given(
    st.sampled_from([file_of(RGB), file_of(RGB, "JPEG"), file_of(LEVELS), png_that_claims(9, 9)]),
    st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=8),
    st.integers(0, 200),
)
def test_files_with_damaged_bytes_are_read_or_refused(
    data: bytes, changes: list[tuple[int, int]], length: int
) -> None:
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    damaged = damaged[: max(length, 1)] if length % 2 else damaged
    for read, stored, error in (
        (color_from_compressed, message("png", bytes(damaged)), ImageError),
        (
            depth_from_compressed,
            depth_message("16UC1; compressedDepth png", bytes(damaged)),
            DepthError,
        ),
    ):
        with suppress(error):
            assert read(stored).size > 0
