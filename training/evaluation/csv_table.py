"""CSV files with a row for each value of a dataclass: exact numbers, None is empty, UTF-8."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from lisa_ros.errors import DatasetError

T = TypeVar("T")


def to_csv(kind: type[T], values: Iterable[T]) -> bytes:
    """The content of a file with a column for each field of `kind`.

    Bytes of a file's name that are no text are written as Python escapes them.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _columns(kind))
    writer.writeheader()
    for value in values:
        row = dataclasses.asdict(value)  # type: ignore[call-overload]
        writer.writerow({name: "" if cell is None else cell for name, cell in row.items()})
    return text.getvalue().encode(errors="backslashreplace")


def read_csv(path: Path, kind: type[T], readers: Mapping[str, Callable[[str], Any]]) -> list[T]:
    """Read such a file. readers: of the columns that are no text, such as `int`.

    Raises:
        DatasetError: missing, of other columns, or a cell that cannot be read; names the line.

    """
    columns = _columns(kind)
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = csv.DictReader(stream, strict=True)
            if tuple(rows.fieldnames or ()) != columns:
                raise DatasetError(
                    f"{path} has the columns {', '.join(rows.fieldnames or ()) or 'none'}; "
                    f"expected {', '.join(columns)}. Evaluate again with --out."
                )
            return [_value(row, kind, readers, f"{path}, line {rows.line_num}") for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"Cannot read {path}: {error}. Name a folder that evaluation wrote with --out."
        ) from error


def optional(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """A reader for which an empty cell is None."""
    return lambda cell: read(cell) if cell else None


def _columns(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _value(
    row: dict[str, str], kind: type[T], readers: Mapping[str, Callable[[str], Any]], where: str
) -> T:
    if None in row or None in row.values():
        raise DatasetError(f"{where}: the row has too many or too few cells. Evaluate again.")
    try:
        return kind(**{name: readers.get(name, str)(cell) for name, cell in row.items()})
    except ValueError as error:
        raise DatasetError(f"{where}: {error}. Evaluate again with --out.") from error
