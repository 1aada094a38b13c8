"""Reads at given offsets of a file that may be truncated or hostile."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lisa_ros.errors import DatasetError


class CheckedFile:
    """A regular file; every read is checked against its size before memory is asked for.

    Positions are arguments (pread), so threads and forked workers may share one.

    Raises:
        DatasetError: the file is missing, unreadable or no regular file (a pipe would block).

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = open(path, "rb", buffering=0, opener=_open_without_waiting)  # noqa: SIM115
        except OSError as error:
            raise DatasetError(
                f"{path}: cannot be opened ({error.strerror}); check the path and permissions."
            ) from error
        status = os.fstat(self._file.fileno())
        if not stat.S_ISREG(status.st_mode):
            self._file.close()
            raise DatasetError(f"{path}: not a regular file; give the path of a file on disk.")
        self.size = status.st_size
        self.modified_ns = status.st_mtime_ns

    def read(self, size: int, offset: int, what: str) -> bytes:
        """Give exactly `size` bytes at `offset`.

        Raises:
            DatasetError: the file ends before; names `what` and the offset.

        """
        data = os.pread(self._file.fileno(), size, offset) if size <= self.size - offset else b""
        while 0 < len(data) < size:  # one call gives 2 GiB at most
            more = os.pread(self._file.fileno(), size - len(data), offset + len(data))
            data = data + more if more else b""
        if len(data) != size:
            raise DatasetError(
                f"{self.path}: {what} at offset {offset} takes {size} bytes, but the file ends at "
                f"{self.size}; it is truncated or damaged: copy or download it again."
            )
        return data

    def close(self) -> None:
        """Close the file; reading afterwards is a ValueError."""
        self._file.close()


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # opening a pipe would wait for its writer
