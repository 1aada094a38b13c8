"""Two models side by side, from the folders that their evaluations wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lisa_ros.errors import ConfigurationError
from training.evaluation.bootstrap import Difference, Ratio, paired_difference
from training.evaluation.figures import CLOSE_M
from training.evaluation.record import Record, read_records
from training.evaluation.results import CONVERSATIONS, RECORDS, read_summary
from training.evaluation.talk import TalkRecord, read_talk

Pair = tuple[Record, Record]


@dataclass(frozen=True)
class Evaluated:
    """An evaluation as it was stored. model: for people."""

    folder: Path
    model: str
    records: tuple[Record, ...]
    talk: tuple[TalkRecord, ...]


@dataclass(frozen=True)
class Row:
    """One figure of two models. part: "overall", a form of question, or a source of images."""

    dataset: str
    mode: str
    part: str
    figure: str
    n: int
    difference: Difference


def read_evaluated(folder: Path) -> Evaluated:
    """Read an output folder.

    Raises:
        DatasetError: it is none, or a file of it is malformed.

    """
    summary = read_summary(folder)
    talked = summary.get("conversation") is not None
    return Evaluated(
        folder=folder,
        model=str(summary["model"]),
        records=tuple(read_records(folder / RECORDS)),
        talk=tuple(read_talk(folder / CONVERSATIONS) if talked else ()),
    )


def compared(a: Evaluated, b: Evaluated, *, seed: int) -> list[Row]:
    """All figures that both models have, with intervals of their differences.

    Raises:
        ConfigurationError: they were not asked the same; says what differs.

    """
    pairs = _matched(a, b)
    rows: list[Row] = []
    for dataset, mode in sorted({(x.dataset, x.mode) for x, _ in pairs}):
        asked = [pair for pair in pairs if (pair[0].dataset, pair[0].mode) == (dataset, mode)]
        for part, chosen in _parts(asked):
            rows += _mask_rows(dataset, mode, part, chosen, seed)
    return rows + _talk_rows(a, b, seed)


def _parts(pairs: Sequence[Pair]) -> Iterator[tuple[str, Sequence[Pair]]]:
    yield "overall", pairs
    for kind in ("form", "source"):
        grouped: dict[str, list[Pair]] = {}
        for pair in pairs:
            grouped.setdefault(getattr(pair[0], kind), []).append(pair)
        if len(grouped) > 1:
            yield from sorted(grouped.items())


def comparison_json(a: Evaluated, b: Evaluated, rows: Sequence[Row]) -> dict[str, Any]:
    """What `comparison.json` holds, and the last line that is printed."""
    return {
        "a": a.model,
        "b": b.model,
        "rows": [
            {
                "set": row.dataset,
                "mode": row.mode,
                "part": row.part,
                "figure": row.figure,
                "n": row.n,
                **{key: round(value, 6) for key, value in row.difference._asdict().items()},
            }
            for row in rows
        ],
    }


def comparison_table(a: Evaluated, b: Evaluated, rows: Sequence[Row]) -> str:
    """The rows as text; a difference whose interval leaves out 0 is marked with *."""
    lines = [
        f"A: {a.model} ({a.folder})",
        f"B: {b.model} ({b.folder})",
        f"{'set':<34}{'mode':<11}{'part':<13}{'figure':<11}{'n':>6}{'A':>9}{'B':>9}{'B-A':>9}"
        "   95 % interval",
    ]
    for row in rows:
        first, second, change, low, high = row.difference
        lines.append(
            f"{row.dataset:<34}{row.mode:<11}{row.part:<13}{row.figure:<11}{row.n:>6}"
            f"{first:>9.4f}{second:>9.4f}{change:>+9.4f}   [{low:+.4f}, {high:+.4f}]"
            f"{' *' if low > 0 or high < 0 else ''}"
        )
    return "\n".join(lines)


def _matched(a: Evaluated, b: Evaluated) -> list[Pair]:
    first, second = ({r.key: r for r in evaluated.records} for evaluated in (a, b))
    _refuse_missing(a, b, set(first), set(second), "answers")
    for key, record in first.items():
        other = second[key]
        same = (record.question, record.target_px, record.form)
        if same != (other.question, other.target_px, other.form):
            raise ConfigurationError(
                f"{key} is another question in {b.folder}: {other.question!r} about "
                f"{other.target_px} px there, {record.question!r} about {record.target_px} px in "
                f"{a.folder}. Evaluate both models on the same data and with the same templates."
            )
    return [(first[key], second[key]) for key in first]


def _refuse_missing(
    a: Evaluated, b: Evaluated, first: set[Any], second: set[Any], what: str
) -> None:
    if first == second:
        return
    only_a, only_b = sorted(first - second), sorted(second - first)
    example = (only_a or only_b)[0]
    raise ConfigurationError(
        f"{a.folder} and {b.folder} are not about the same: {len(first & second)} {what} are in "
        f"both, {len(only_a)} only in the first, {len(only_b)} only in the second, for example "
        f"{example}. Evaluate both models with the same options."
    )


class _Figure(NamedTuple):
    """See `figures`. counts: whether a question has it, which depends on its truth alone."""

    name: str
    counts: Callable[[Record], bool]
    ratio: Callable[[Record], Ratio]


_FIGURES = (
    _Figure("gIoU", lambda r: True, lambda r: Ratio(r.iou, 1)),
    _Figure("cIoU", lambda r: True, lambda r: Ratio(r.intersection, r.union)),
    _Figure("no target", lambda r: not r.present, lambda r: Ratio(float(r.union == 0), 1)),
    _Figure("under 3 cm", lambda r: r.target_error_m is not None, lambda r: Ratio(_close(r), 1)),
)


def _close(record: Record) -> float:
    return float(record.target_error_m is not None and record.target_error_m < CLOSE_M)


def _mask_rows(
    dataset: str, mode: str, part: str, pairs: Sequence[Pair], seed: int
) -> Iterable[Row]:
    for figure, counts, ratio in _FIGURES:
        counted = [pair for pair in pairs if counts(pair[0])]
        first, second = ([ratio(pair[side]) for pair in counted] for side in (0, 1))
        images = [x.image for x, _ in counted]
        difference = paired_difference(first, second, images, seed=seed)
        if difference is not None:
            yield Row(dataset, mode, part, figure, len(counted), difference)


def _talk_rows(a: Evaluated, b: Evaluated, seed: int) -> list[Row]:
    first, second = (
        {(t.index, t.image, t.question): t for t in evaluated.talk} for evaluated in (a, b)
    )
    _refuse_missing(a, b, set(first), set(second), "conversations")
    ratios: dict[str, Callable[[TalkRecord], Ratio]] = {
        "loss": lambda t: Ratio(t.loss, t.tokens),
        "stray [SEG]": lambda t: Ratio(float(t.stray_masks > 0), 1),
    }
    rows = []
    for figure, ratio in ratios.items():
        before, after = ([ratio(side[key]) for key in first] for side in (first, second))
        images = [image for _, image, _ in first]
        difference = paired_difference(before, after, images, seed=seed)
        if difference is not None:
            rows.append(Row("conversation", "", "overall", figure, len(first), difference))
    return rows
