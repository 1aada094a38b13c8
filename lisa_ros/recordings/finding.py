"""What a check of a dataset has to say."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """Something wrong on disk: where, what, and what to do about it.

    An "error" makes the dataset unusable until it is cured; a "warning" does not.
    """

    severity: Literal["error", "warning"]
    path: Path
    message: str


def error(path: Path, message: str) -> Finding:
    """A finding that has to be cured."""
    return Finding("error", path, message)


def warning(path: Path, message: str) -> Finding:
    """A finding that may be meant."""
    return Finding("warning", path, message)
