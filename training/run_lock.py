"""One run at a time in a folder: two would overwrite each other's states and losses."""

from __future__ import annotations

import fcntl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from lisa_ros.errors import ConfigurationError

_LOCK_FILE = ".lock"


@contextmanager
def only_run_in(out: Path) -> Iterator[None]:
    """Keep other runs out of a folder for as long as this process is in the block, or lives.

    The lock is POSIX's: workers that a killed run leaves behind for a moment do not hold it. A disk
    that has no locks, as some of clusters, is warned of.

    Raises:
        ConfigurationError: another run is in the folder, or nothing can be written there.

    """
    with _opened(out) as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:  # POSIX allows both
            raise ConfigurationError(
                f"Another process is training in {out}. Wait until it has ended, or choose "
                "another `out`."
            ) from error
        except OSError as error:
            warnings.warn(
                f"{out} cannot be locked ({error.strerror}): see to it that no other run is "
                "started in it.",
                stacklevel=3,
            )
        yield


def _opened(out: Path) -> TextIO:
    try:
        out.mkdir(parents=True, exist_ok=True)
        return (out / _LOCK_FILE).open("w")
    except OSError as error:
        raise ConfigurationError(
            f"Nothing can be written in {out}: {error.strerror}. Choose another `out`."
        ) from error
