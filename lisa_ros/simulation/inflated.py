"""Random access to the inside of a compressed file, without holding all of it.

Compressed data can only be read from its start on. But the state of the one who reads it can be
kept on the way, 40 kB at a time, and gone on with later: then any place is a short way from a
state that was kept.
"""

from __future__ import annotations

import bisect
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from lisa_ros.errors import SimulationError

_SPACING_BYTES = 2 * 2**20  # of what comes out, between two states
_CHUNK_BYTES = 2**14  # of what goes in; at most a thousand times as much comes out


class _Point(NamedTuple):
    """A state after `taken` bytes have gone in and `given` have come out."""

    taken: int
    given: int
    state: Any  # zlib's class for it has no public name


class Inflated:
    """The content of a raw deflate stream, `size` bytes from `start` on in a file.

    States are kept as reading gets there, about 2 % of the content. Not for several threads.
    """

    def __init__(self, path: Path, start: int, size: int) -> None:
        self._path, self._start, self._size = path, start, size
        self._points = [_Point(0, 0, zlib.decompressobj(-zlib.MAX_WBITS))]

    def __reduce__(self) -> tuple[type[Inflated], tuple[Path, int, int]]:
        """Travel to another process without the states, which cannot."""
        return Inflated, (self._path, self._start, self._size)

    def read(self, first: int, count: int) -> bytes:
        """Bytes first .. first + count of the content.

        Raises:
            SimulationError: the file is damaged, or ends before.

        """
        index = bisect.bisect_right(self._points, first, key=lambda point: point.given)
        taken, given, kept = self._points[index - 1]
        state, wanted = kept.copy(), bytearray()
        try:
            with open(self._path, "rb") as stream:
                stream.seek(self._start + taken)
                while given < first + count:
                    packed = stream.read(min(_CHUNK_BYTES, self._size - taken))
                    if not packed:
                        raise SimulationError(f"{self._path} ends early. Write it again.")
                    content = state.decompress(packed)
                    wanted += content[max(first - given, 0) : first + count - given]
                    taken, given = taken + len(packed), given + len(content)
                    if given >= self._points[-1].given + _SPACING_BYTES:
                        self._points.append(_Point(taken, given, state.copy()))
        except (OSError, zlib.error) as error:
            raise SimulationError(f"Cannot read {self._path}: {error}. Write it again.") from error
        return bytes(wanted)
