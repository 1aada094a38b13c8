"""What dead processes left of Fast DDS's shared memory, and whether there is room for more.

Fast DDS keeps a segment `fastrtps_<16 hex digits>` for each participant, with a file of the same
name and `_el` that its process holds locked (flock) for as long as it lives; see eProsima's
`fastdds shm clean`, which removes those that nobody holds.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from lisa_ros.diagnosis import Diagnosis, broken, ok, warning

FOLDER = Path("/dev/shm")
_SEGMENT = re.compile(r"(?:fastrtps|fastdds)_[0-9a-f]{16}")
# A process that is just starting has made its file but not locked it yet.
_YOUNG_S = 10.0
# A participant takes half a MiB, one that sends images some more.
_LITTLE_BYTES = 16 * 2**20
_CLEAN = "`fastdds shm clean` removes it (beside python in a virtual environment)."


def check(folder: Path = FOLDER) -> Iterator[Diagnosis]:
    """Say what was left in a folder of shared memory, and what is free there."""
    if not folder.is_dir():
        yield warning(
            "shared memory",
            f"there is no {folder}",
            "Images go through the loopback network then, which is several times slower.",
        )
        return
    left = list(leftovers(folder))
    size_mib = sum(size for _, size in left) / 2**20
    free = shutil.disk_usage(folder).free
    said = f"{len(left)} segments of dead processes hold {size_mib:.1f} MiB"
    if free < _LITTLE_BYTES:
        yield broken(
            "shared memory",
            f"only {free / 2**20:.1f} MiB are free in {folder}; {said}",
            f"{_CLEAN} In a container: --shm-size=1g or --ipc=host.",
        )
    elif left:
        yield warning("shared memory", said, _CLEAN, [str(path) for path, _ in left])
    else:
        yield ok("shared memory", f"nothing is left over, {free / 2**20:.0f} MiB are free")


def leftovers(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield each segment that no process holds any more, with its bytes."""
    for path in sorted(folder.iterdir()):
        if _SEGMENT.fullmatch(path.name):
            try:
                status = path.stat()
                if time.time() - status.st_mtime > _YOUNG_S and not _is_held(path):
                    yield path, status.st_size
            except OSError:  # gone meanwhile, or another user's: nothing to be done here
                continue


def _is_held(segment: Path) -> bool:
    lock = segment.with_name(f"{segment.name}_el")
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
