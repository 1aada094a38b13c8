"""A dataset that is made in one go: it is there as a whole, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lisa_ros.durable_files import flush
from lisa_ros.errors import DatasetError
from lisa_ros.recordings.dataset_folder import About, DatasetFolder
from lisa_ros.recordings.writer import create_dataset


@contextmanager
def new_dataset(path: Path, about: About) -> Iterator[DatasetFolder]:
    """Make a dataset beside `path`; it gets this name when the block ends without an error.

    Raises:
        DatasetError: `path` holds something already, or its parent cannot be written to.

    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise DatasetError(f"{path} exists and is not empty. Choose another folder.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise DatasetError(
            f"Cannot write to {path.parent}: {error.strerror}. Choose another place."
        ) from error
    try:
        aside.chmod(0o755)
        yield create_dataset(aside, about)
        _move(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _move(aside: Path, path: Path) -> None:
    try:
        aside.rename(path)
        flush(path.parent)
    except OSError as error:
        raise DatasetError(
            f"Cannot name the new dataset {path}: {error.strerror}. Choose another folder."
        ) from error
