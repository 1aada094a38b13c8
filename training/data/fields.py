"""Values of parsed JSON and pickles: taken by key, with their type checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from lisa_ros.errors import DatasetError

T = TypeVar("T")


def read_json(path: Path, encodings: tuple[str, ...] = ("utf-8-sig",)) -> object:
    """Parse a JSON file, in the first of these encodings that decodes it.

    Raises:
        DatasetError: the file cannot be read, or is not JSON; names it and the place.

    """
    text = _decode(path, encodings)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"{path} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}. "
            "Restore the file."
        ) from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is not usable JSON: {error}. Restore the file.") from error


def read_content(path: Path) -> bytes:
    """Read a file. Raises DatasetError where that is not possible."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"Cannot read {path}: {error.strerror}. Check the dataset's folder."
        ) from error


def _decode(path: Path, encodings: tuple[str, ...]) -> str:
    content = read_content(path)
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DatasetError(
        f"{path} is not text in {' or '.join(encodings)}. Save it as UTF-8, or restore the file."
    )


def field(item: object, key: str, kind: type[T], where: str) -> T:
    """`item[key]`, of the expected kind; `where` says in an error's message what `item` is.

    Raises:
        DatasetError: `item` is no dict, lacks the key, or holds a value of another kind.

    """
    if not isinstance(item, dict):
        raise DatasetError(f"{where} is {_shown(item)}; expected an object with {key!r}.")
    if key not in item:
        raise DatasetError(f"{where} has no {key!r}; expected one of type {kind.__name__}.")
    return of_kind(item[key], kind, f"{key!r} of {where}")


def of_kind(value: object, kind: type[T], where: str) -> T:
    """`value`, of the expected kind; a bool is no number.

    Raises:
        DatasetError: it is of another kind.

    """
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise DatasetError(f"{where} is {_shown(value)}; expected {kind.__name__}.")
    return value


def _shown(value: object) -> str:
    shown = repr(value) if isinstance(value, str | int | float | bool | None) else "a whole"
    return f"{shown[:40]} of type {type(value).__name__}"
