"""RVL streams for tests, written number by number as the paper has it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence


def rvl_stream(values: Sequence[int]) -> bytes:
    """Return the stream of these values, 0..65535."""
    return rvl_words(nibble for number in _numbers(values) for nibble in nibbles_of(number))


def rvl_words(nibbles: Iterable[int]) -> bytes:
    """Return nibbles as little-endian words, the first nibble of each at the top, padded with 0."""
    digits = list(nibbles)
    digits += [0] * (-len(digits) % 8)
    words = [
        int("".join(f"{d:x}" for d in digits[i : i + 8]), 16) for i in range(0, len(digits), 8)
    ]
    return struct.pack(f"<{len(words)}I", *words)


def nibbles_of(number: int) -> list[int]:
    """Return a number three bits at a time, with a fourth bit where another nibble follows."""
    digits = [number & 7]
    while number := number >> 3:
        digits[-1] |= 8
        digits.append(number & 7)
    return digits


def _numbers(values: Sequence[int]) -> list[int]:
    numbers: list[int] = []
    position, previous = 0, 0
    while position < len(values):
        start = position
        while position < len(values) and values[position] == 0:
            position += 1
        first = position
        while position < len(values) and values[position] != 0:
            position += 1
        numbers += [first - start, position - first]
        for value in values[first:position]:
            difference = int(value) - previous
            numbers.append(2 * difference if difference >= 0 else -2 * difference - 1)
            previous = int(value)
    return numbers
