"""The folder that an evaluation writes: `summary.json`, `records.csv`, `report.html`, ..."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lisa_ros.errors import ConfigurationError, DatasetError
from lisa_ros.recordings.atomic_files import place_files

SUMMARY, RECORDS = "summary.json", "records.csv"
CONVERSATIONS, REPORT = "conversations.csv", "report.html"
COMPARISON, COMPARISON_PAGE = "comparison.json", "comparison.html"


def prepare_folder(folder: Path) -> None:
    """Make the folder before hours of work, not after.

    Raises:
        ConfigurationError: it cannot be made, or is no folder.

    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"--out {folder} cannot be made: {error.strerror}. Choose another folder."
        ) from error


def write_results(folder: Path, files: Sequence[tuple[str, bytes]]) -> None:
    """Place all files, the last of which vouches for the others: aside first, then renamed.

    Raises:
        DatasetError: the disk is full or refuses; then nothing is placed.

    """
    place_files([(folder / name, content) for name, content in files])


def to_json(values: dict[str, Any]) -> bytes:
    """A JSON file, UTF-8; NaN and infinity are errors."""
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # Of paths that are no text, which JSON writes so itself.
    return text.encode(errors="backslashreplace")


def read_summary(folder: Path) -> dict[str, Any]:
    """Read the `summary.json` of an output folder.

    Raises:
        DatasetError: there is none, or it is malformed.

    """
    path = folder / SUMMARY
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise DatasetError(
            f"Cannot read {path}: {error}. Name a folder that evaluation wrote with --out."
        ) from error
    if not isinstance(summary, dict) or "model" not in summary:
        raise DatasetError(f"{path} is no summary of an evaluation. Evaluate again with --out.")
    return summary
