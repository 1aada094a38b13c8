from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rvl_writer import nibbles_of, rvl_stream, rvl_words

from lisa_ros.errors import DepthError
from lisa_ros.nodes.rvl import decode_rvl


def test_stream_written_by_hand() -> None:
    # 2 zeros, 2 values: +5 as 10 = 0b1_010, +0; then 1 zero, no value.
    stream = struct.pack("<I", 0x22A10100)
    assert decode_rvl(stream, 5).tolist() == [0, 0, 5, 5, 0]


@pytest.mark.parametrize(
    "values",
    [
        [1],
        [0, 0, 0],
        [65535, 1, 65535, 0, 0, 1],
        [1500] * 100,
        [0, 7] * 50,
        list(range(1, 300)),
        [0] * 5000 + [300] + [0] * 5000,
    ],
)
def test_values_come_back(values: list[int]) -> None:
    decoded = decode_rvl(rvl_stream(values), len(values))
    assert decoded.dtype == np.uint16
    assert decoded.tolist() == values


@given(st.lists(st.one_of(st.just(0), st.integers(0, 65535), st.integers(990, 1010)), min_size=1))
def test_any_values_come_back(values: list[int]) -> None:
    assert decode_rvl(rvl_stream(values), len(values)).tolist() == values


@pytest.mark.parametrize(
    ("stream", "pixels", "words"),
    [
        (b"", 4, "ends 4 pixels before"),
        (b"\0\0\0", 4, "whole words"),
        (bytes(4 * 100), 4, "at most 3 bytes"),
        (rvl_stream([5, 5, 5]), 4, "0 [+] 0 pixels where 1 of 4"),
        (rvl_stream([5, 5, 5, 5]), 3, "0 [+] 4 pixels where 3 of 3"),
        (rvl_words([9] * 15 + [1]), 99, "number of 16 nibbles"),
        (rvl_words([*nibbles_of(50), 0]), 40, "50 [+] 0 pixels where 40"),
        (bytes(4 * 4), 9, "0 [+] 0 pixels"),
    ],
)
def test_damaged_streams_are_errors_that_say_what_is_wrong(
    stream: bytes, pixels: int, words: str
) -> None:
    with pytest.raises(DepthError, match=words):
        decode_rvl(stream, pixels)


@given(st.binary(max_size=64), st.integers(1, 200))
def test_any_bytes_give_an_image_of_that_size_or_an_error(stream: bytes, pixels: int) -> None:
    with suppress(DepthError):
        assert decode_rvl(stream, pixels).shape == (pixels,)
