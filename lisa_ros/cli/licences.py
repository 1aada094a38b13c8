"""The rows of LICENSES.md, read out of its tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lisa_ros.cli.installed_files import installed_file

_FILE = "LICENSES.md"
_OF_MODELS = ("What this repository ships", "Models you can load")


@dataclass(frozen=True)
class LicenceRow:
    """One row: the heading it stands under, what it is about, and its terms."""

    heading: str
    name: str
    terms: str


def licence_rows() -> tuple[LicenceRow, ...]:
    """Return all rows; none where the file was not installed."""
    file = installed_file(_FILE)
    return () if file is None else tuple(parse(file.read_text(encoding="utf-8")))


def parse(text: str) -> Iterator[LicenceRow]:
    """Read Markdown tables: first column the name, last column the terms; their first row names."""
    heading, in_table = "", False
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ").strip()
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        is_row = line.startswith("|") and len(cells) > 1
        ruler = is_row and all(set(cell) <= set("-: ") for cell in cells)
        if is_row and in_table and not ruler:
            yield LicenceRow(heading, cells[0], cells[-1])
        in_table = is_row  # the row before the ruler is the header


def rows_of_model(model: str, rows: tuple[LicenceRow, ...]) -> tuple[LicenceRow, ...]:
    """Return the rows that name a model by its alias or by the last part of its hub id."""
    name = model.rstrip("/").rpartition("/")[2]
    whole = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", re.IGNORECASE)
    of_models = [row for row in rows if row.heading in _OF_MODELS]
    return tuple(row for row in of_models if name and whole.search(row.name))
