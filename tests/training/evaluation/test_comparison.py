"""Two stored evaluations side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from known_answers import absent, record

from lisa_ros.errors import ConfigurationError, DatasetError
from training.evaluation.comparison import (
    Evaluated,
    compared,
    comparison_json,
    comparison_table,
    read_evaluated,
)
from training.evaluation.csv_table import to_csv
from training.evaluation.page import page
from training.evaluation.record import Record
from training.evaluation.report import comparison_page
from training.evaluation.results import to_json, write_results
from training.evaluation.talk import TalkRecord


def talked(index: int, loss: float, stray: int) -> TalkRecord:
    return TalkRecord(index, f"{index}.jpg", 10, loss, "What is it?", "A cup.", stray)


BEFORE = Evaluated(
    Path("before"),
    "base",
    tuple([record(i, intersection=i % 3) for i in range(20)] + [absent(30, form="long")]),
    tuple(talked(i, 20.0, 0) for i in range(5)),
)
AFTER = Evaluated(
    Path("after"),
    "tuned",
    tuple([record(i, intersection=i % 3 + 4) for i in range(20)] + [absent(30, form="long")]),
    tuple(talked(i, 30.0, i % 2) for i in range(5)),
)


def test_differences_and_their_intervals() -> None:
    rows = {(r.dataset, r.part, r.figure): r for r in compared(BEFORE, AFTER, seed=0)}
    gain = rows["squares|val", "short", "gIoU"]
    assert (gain.n, gain.mode) == (20, "prompted")
    assert list(gain.difference)[2:] == pytest.approx([0.4, 0.4, 0.4])
    assert rows["squares|val", "overall", "gIoU"].difference.difference == pytest.approx(8 / 21)
    assert rows["squares|val", "overall", "cIoU"].difference.difference == pytest.approx(0.4)
    # The one absent request has an empty union: no cIoU of its own.
    assert ("squares|val", "long", "cIoU") not in rows
    loss = rows["conversation", "overall", "loss"].difference
    assert (loss.a, loss.b) == (2.0, 3.0)
    stray = rows["conversation", "overall", "stray [SEG]"].difference
    assert (stray.a, stray.b) == (0.0, 0.4)


def test_absent_and_lifted_targets_and_sources_are_compared() -> None:
    def of(errors: tuple[float, float], marked: int) -> Evaluated:
        near, far = errors
        records = (
            record(0, target_error_m=near),
            record(1, target_error_m=far, source="right"),
            absent(2),
            absent(3, predicted_px=marked, union=marked),
        )
        return Evaluated(Path("x"), "m", records, ())

    found = compared(of((0.01, float("inf")), 7), of((0.01, 0.02), 0), seed=0)
    rows = {(r.part, r.figure): r for r in found}
    refused = rows["overall", "no target"]
    assert (refused.n, refused.difference.a, refused.difference.b) == (2, 0.5, 1.0)
    near = rows["overall", "under 3 cm"]
    assert (near.n, near.difference.a, near.difference.b) == (2, 0.5, 1.0)
    assert rows["right", "under 3 cm"].difference.difference == 1.0
    assert ("right", "no target") not in rows


def test_what_is_printed_and_stored() -> None:
    rows = compared(BEFORE, AFTER, seed=0)
    text = comparison_table(BEFORE, AFTER, rows)
    assert "A: base (before)" in text
    assert "[+0.4000, +0.4000] *" in text
    stored = comparison_json(BEFORE, AFTER, rows)
    assert (stored["a"], stored["b"], len(stored["rows"])) == ("base", "tuned", len(rows))
    html = comparison_page(BEFORE, AFTER, rows).decode()
    assert html.count("<tr>") == 1 + len(rows)


def changed(**changes: object) -> Evaluated:
    first, *others = AFTER.records
    return replace(AFTER, records=(replace(first, **changes), *others))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (changed(image="another"), "1 only in the first, 1 only in the second"),
        (changed(mode="generated"), "20 answers are in both"),
        (changed(question="the blue thing"), "another question in after: 'the blue thing'"),
        (changed(target_px=7), "about 7 px there"),
        (Evaluated(Path("x"), "m", AFTER.records, AFTER.talk[:3]), "3 conversations are in both"),
    ],
)
def test_different_samples_are_not_compared(other: Evaluated, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        compared(BEFORE, other, seed=0)


def test_folders_are_read_as_they_were_written(tmp_path: Path) -> None:
    files = [
        ("records.csv", to_csv(Record, BEFORE.records)),
        ("conversations.csv", to_csv(TalkRecord, BEFORE.talk)),
        ("summary.json", to_json({"model": "base", "conversation": {"n": 5}})),
    ]
    write_results(tmp_path, files)
    found = read_evaluated(tmp_path)
    assert found == Evaluated(tmp_path, "base", BEFORE.records, BEFORE.talk)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(name for name, _ in files)
    # Of an evaluation without conversations, what an earlier one left is not read.
    (tmp_path / "summary.json").write_bytes(to_json({"model": "base", "conversation": None}))
    assert read_evaluated(tmp_path).talk == ()


@pytest.mark.parametrize("content", [None, b"{", b"[]", b"{}"])
def test_a_folder_without_an_evaluation_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "summary.json").write_bytes(content)
    with pytest.raises(DatasetError, match=r"summary\.json.*--out"):
        read_evaluated(tmp_path)


def test_pages_escape_what_they_show() -> None:
    assert b"<script>" not in page("<script>", [])
