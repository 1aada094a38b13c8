"""Files that appear whole or not at all, also when the writer is killed or the power fails."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lisa_ros.durable_files import PARTIAL_SUFFIX, flush, flushed
from lisa_ros.errors import DatasetError


def place_files(contents: Sequence[tuple[Path, bytes]]) -> None:
    """Write all files aside and on to the disk, then rename them in the order given.

    So the last file vouches for the others. They replace what is there; their folders must exist.

    Raises:
        DatasetError: the disk is full or refuses; then no file is placed, but for a refusal
            between two renames.

    """
    aside: list[Path] = []
    try:
        for path, content in contents:
            partial = path.with_name(f".{path.name}{PARTIAL_SUFFIX}")
            aside.append(partial)
            with flushed(partial) as file:
                file.write(content)
        for partial, (path, _) in zip(aside, contents, strict=True):
            os.replace(partial, path)
        for folder in sorted({path.parent for path, _ in contents}):
            flush(folder)
    except OSError as error:
        for partial in aside:
            partial.unlink(missing_ok=True)
        raise DatasetError(
            f"Cannot write {contents[len(aside) - 1][0]}: {error.strerror}. Check the disk and the "
            "folder's permissions."
        ) from error


def check_space(folder: Path, needed_bytes: int, reserve_bytes: int) -> None:
    """Refuse to fill the disk. Raises DatasetError when less than the reserve would be left."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + reserve_bytes:
        raise DatasetError(
            f"{free} bytes are free where {folder} is; {needed_bytes} are needed and "
            f"{reserve_bytes} more must stay free. Make room, or choose another disk."
        )


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Let one process at a time write into a folder; others wait. Freed when its holder dies."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
