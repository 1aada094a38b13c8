"""Where the files of this installation are: in a clone, or in the share folder beside the code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import lisa_ros


def checkout() -> Path | None:
    """Return the clone that this package is imported from; None where it is installed without."""
    for folder in lisa_ros.__path__:
        clone = Path(folder).resolve().parent
        if (clone / "pyproject.toml").is_file() and (clone / "training").is_dir():
            return clone
    return None


def share_folder() -> Path | None:
    """Return share/lisa_ros of the installation: package.xml, interfaces, licences; None without.

    Source: the layout of an ament prefix, which `pip install` and colcon both make.
    """
    return next((folder for folder in _share_folders() if (folder / "package.xml").is_file()), None)


def installed_file(name: str) -> Path | None:
    """Return a file of the clone's root, else of the share folder; None where it is in neither."""
    for folder in (checkout(), share_folder()):
        if folder is not None and (folder / name).is_file():
            return folder / name
    return None


def _share_folders() -> Iterator[Path]:
    prefixes = [*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    for prefix in filter(None, prefixes):
        yield Path(prefix) / "share" / "lisa_ros"
