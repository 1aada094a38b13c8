"""ScanNet's table of labels, `scannetv2-labels.combined.tsv`, and what is ambiguous in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lisa_ros.errors import DatasetError
from training.data.phrasing import checked_text

TABLE_NAME = "scannetv2-labels.combined.tsv"
_COLUMNS = ("id", "raw_category", "nyu40id")

# By nyu40 id; 0 is "not annotated". As people write them: ScanNet spells "refridgerator".
NYU40_NAMES = (
    "unannotated", "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window",
    "bookshelf", "picture", "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow",
    "mirror", "floor mat", "clothes", "ceiling", "books", "refrigerator", "television", "paper",
    "towel", "shower curtain", "box", "whiteboard", "person", "night stand", "toilet", "sink",
    "lamp", "bathtub", "bag", "otherstructure", "otherfurniture", "otherprop",
)  # fmt: skip


@dataclass(frozen=True)
class LabelRow:
    """What an annotator wrote, its number in 2D label images, and its NYU40 class."""

    id: int
    raw_category: str
    nyu40id: int


@dataclass(frozen=True)
class LabelTable:
    """The rows of the table, in the order of the file.

    `raw_category` is the key. Numbers are not: plurals share one ("box", "boxes"), and a few stand
    for two NYU40 classes (`ambiguous_ids`).
    """

    path: Path
    rows: tuple[LabelRow, ...]

    @cached_property
    def by_name(self) -> Mapping[str, LabelRow]:
        """Rows by raw category, as aggregation files write it."""
        return {row.raw_category: row for row in self.rows}

    def ambiguous_ids(self) -> Mapping[int, tuple[int, ...]]:
        """The numbers that stand for several NYU40 classes: 107, 188 and 385 as released."""
        classes: dict[int, set[int]] = {}
        for row in self.rows:
            classes.setdefault(row.id, set()).add(row.nyu40id)
        return {id_: tuple(sorted(of)) for id_, of in sorted(classes.items()) if len(of) > 1}


def read_labels(path: Path) -> LabelTable:
    """Read the table by its column names (version 1 has other columns in other places).

    Raises:
        DatasetError: missing, not that table, or a row that cannot be; names the line.

    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{path}: the label table cannot be read ({error}); download it again."
        ) from error
    columns = lines[0].split("\t") if lines else []
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        raise DatasetError(
            f"{path}: has no column {', '.join(missing)}; expected the tab-separated {TABLE_NAME}."
        )
    rows: dict[str, LabelRow] = {}
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        row = _row(path, number, dict(zip(columns, line.split("\t"), strict=False)))
        if row.raw_category in rows:
            raise DatasetError(
                f"{path}, line {number}: raw_category {row.raw_category!r} stands there twice; "
                "download the table again."
            )
        rows[row.raw_category] = row
    return LabelTable(path, tuple(rows.values()))


def _row(path: Path, number: int, cells: dict[str, str]) -> LabelRow:
    try:
        row = LabelRow(int(cells["id"]), cells["raw_category"], int(cells["nyu40id"]))
    except (KeyError, ValueError) as error:
        raise DatasetError(
            f"{path}, line {number}: got {cells}, expected a cell for each of "
            f"{', '.join(_COLUMNS)}, id and nyu40id integers; download the table again."
        ) from error
    checked_text(row.raw_category, f"{path}, line {number}: the raw_category")
    if not (0 < row.id < 2**16 and 0 <= row.nyu40id < len(NYU40_NAMES)):
        raise DatasetError(
            f"{path}, line {number}: got {row}, expected an id of 16 bits and a nyu40id of 0 to "
            "40; download the table again."
        )
    return row
