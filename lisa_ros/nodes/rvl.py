"""RVL: the run-length code for depth images that compressedDepth can carry. numpy only.

A. D. Wilson, "Fast Lossless Depth Image Compression" (ISS 2017). The stream is a sequence of
32-bit little-endian words, read four bits at a time from the top. A number is written three bits at
a time, least significant first; the fourth bit of a nibble says that another one follows. Numbers
come as: how many pixels are 0, how many are not, then for each of the latter its difference to the
one before (zeros do not count), with the sign in the last bit; and so on until the image is full.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DepthError

# 32 bits, three at a time.
_MAX_NIBBLES = 11
# A difference of 16-bit values takes 17 bits with its sign, that is six nibbles; runs cost less.
_MAX_BYTES_PER_PIXEL = 3
_WORD_BYTES = 4


def decode_rvl(stream: bytes, pixels: int) -> npt.NDArray[np.uint16]:
    """Return the u16[pixels] values of a stream.

    What it allocates grows with the stream, and with `pixels` only once the runs of the stream are
    known to add up to it. Raises DepthError for a stream that is not RVL of that many pixels.
    """
    if len(stream) % _WORD_BYTES or len(stream) > _MAX_BYTES_PER_PIXEL * pixels + 2 * _WORD_BYTES:
        raise DepthError(
            f"RVL depth of {pixels} pixels came as {len(stream)} bytes; expected whole words of "
            f"{_WORD_BYTES} bytes, and at most {_MAX_BYTES_PER_PIXEL} bytes for a pixel"
        )
    numbers = _numbers(stream)
    zeros, nonzeros, first = _runs(numbers, pixels)
    total = int(nonzeros.sum())
    # The j-th difference stands as many numbers further on as there are counts before it.
    before = np.cumsum(nonzeros) - nonzeros
    differences = numbers[np.arange(total) + np.repeat(first - before, nonzeros)]
    signed = (differences >> 1) ^ -(differences & 1)
    values = np.zeros(pixels, dtype=np.uint16)
    places = np.arange(total) + np.repeat(np.cumsum(zeros), nonzeros)
    values[places] = np.cumsum(signed) & 0xFFFF
    return values


def _numbers(stream: bytes) -> npt.NDArray[np.int64]:
    """Return every number of the stream; a last one that is cut off is left out."""
    octets = np.frombuffer(stream, dtype="<u4").astype(">u4").view(np.uint8)
    nibbles = np.stack([octets >> 4, octets & 0xF], axis=1).reshape(-1)
    ends = np.flatnonzero(nibbles < 8)
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    lengths = ends - starts + 1
    longest = int(lengths.max(initial=0))
    if longest > _MAX_NIBBLES:
        raise DepthError(
            f"RVL depth holds a number of {longest} nibbles; expected at most {_MAX_NIBBLES}: "
            "the message is damaged"
        )
    numbers = np.zeros(len(ends), dtype=np.int64)
    for digit in range(longest):
        has_digit = lengths > digit
        digits = (nibbles[starts[has_digit] + digit] & 7).astype(np.int64)
        numbers[has_digit] |= digits << (3 * digit)
    return numbers


def _runs(
    numbers: npt.NDArray[np.int64], pixels: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return, run by run, the zeros, the values after them, and where their differences begin."""
    runs: list[tuple[int, int, int]] = []
    position, missing = 0, pixels
    while missing:
        if position + 2 > len(numbers):
            raise DepthError(
                f"RVL depth ends {missing} pixels before the {pixels} of its size: the message is "
                "cut off"
            )
        zeros, nonzeros = int(numbers[position]), int(numbers[position + 1])
        position += 2
        # Only a damaged stream has runs of nothing; without this they would cost time for ever.
        if not 0 < zeros + nonzeros <= missing or position + nonzeros > len(numbers):
            raise DepthError(
                f"RVL depth has a run of {zeros} + {nonzeros} pixels where {missing} of {pixels} "
                f"are missing and {len(numbers) - position} numbers are left: the message is "
                "damaged"
            )
        runs.append((zeros, nonzeros, position))
        position += nonzeros
        missing -= zeros + nonzeros
    columns = np.array(runs, dtype=np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]
