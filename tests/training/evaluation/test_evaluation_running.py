"""From questions to records, against a segmenter whose answers are known."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeSegmenter
from known_answers import HEIGHT, WIDTH, RedSquares, absent, never_rejecting, record, square

from lisa_ros.errors import ConfigurationError, DatasetError, ModelError
from lisa_ros.types import Segmentation
from training.evaluation.asked import Asked, AskedImage
from training.evaluation.asking import Protocol
from training.evaluation.csv_table import to_csv
from training.evaluation.page import page, paragraph
from training.evaluation.record import Record, in_order, read_records
from training.evaluation.results import to_json
from training.evaluation.running import Examiner, evaluate_set, spread
from training.ranks import Ranks

PROMPTED, GENERATED = Protocol("prompted"), Protocol("generated")


def sees_red(encoded: object, prompts: object) -> np.ndarray:
    return square(8)[None] > 0


@pytest.fixture(scope="module")
def records() -> list[Record]:
    examiner = Examiner(never_rejecting(), (PROMPTED, GENERATED), sees_red)
    return evaluate_set(examiner, RedSquares())


def asked(records: list[Record], mode: str, number: int) -> list[Record]:
    return [r for r in records if (r.mode, r.number) == (mode, number)]


def test_every_question_is_asked_in_every_protocol(records: list[Record]) -> None:
    assert [(r.mode, r.index, r.number) for r in records] == [
        (mode, index, number)
        for mode in ("generated", "prompted")
        for index in range(4)
        for number in range(3)
    ]


@pytest.mark.parametrize("mode", ["prompted", "generated"])
def test_known_masks_have_known_ious(records: list[Record], mode: str) -> None:
    red = asked(records, mode, 0)
    assert [r.iou for r in red] == pytest.approx([(8 - i) / (8 + i) for i in range(4)])
    assert {(r.target_px, r.predicted_px) for r in red} == {(64, 64)}
    yellow = asked(records, mode, 1)
    assert [r.iou for r in yellow] == [1.0] * 4
    assert not any(r.present for r in yellow)
    assert [r.iou for r in asked(records, mode, 2)] == [0.0] * 4


def test_a_shifted_mask_is_as_far_off_as_it_is_shifted(records: list[Record]) -> None:
    errors = [r.target_error_m for r in asked(records, "prompted", 0)]
    assert errors == pytest.approx([i * 2.0 / 40.0 for i in range(4)])
    assert {r.target_error_m for r in asked(records, "prompted", 1)} == {None}
    assert {r.target_error_m for r in asked(records, "prompted", 2)} == {float("inf")}


def test_misses_are_attributed_and_hits_are_not(records: list[Record]) -> None:
    # At a shift of 3 the oracle's IoU, 5 of 11, is below one half as well.
    assert [r.miss for r in asked(records, "prompted", 0)] == [None, None, None, "did not see"]
    assert {r.miss for r in asked(records, "prompted", 1)} == {None}
    oracle = Examiner(never_rejecting(), (PROMPTED,), lambda *_: square(20)[None] > 0)
    blue = asked(evaluate_set(oracle, RedSquares()), "prompted", 2)
    assert {r.miss for r in blue} == {"did not understand"}
    nobody = evaluate_set(Examiner(never_rejecting(), (PROMPTED,)), RedSquares())
    assert {r.miss for r in nobody} == {None}


@dataclass(frozen=True)
class Shard(Ranks):
    """A rank whose colleagues' records are known."""

    others: tuple[Record, ...] = ()

    def gather(self, values: list) -> list:
        return [*self.others, *values]


@pytest.mark.parametrize("world", [2, 3, 7])
def test_any_number_of_ranks_gives_the_same_records(world: int, records: list[Record]) -> None:
    examiner = Examiner(never_rejecting(), (PROMPTED, GENERATED), sees_red)
    gathered: tuple[Record, ...] = ()
    shares = []
    for rank in reversed(range(world)):
        before = len(gathered)
        try:
            gathered = tuple(
                evaluate_set(examiner, RedSquares(), ranks=Shard(rank, world, others=gathered))
            )
        except DatasetError:  # the share of this rank alone asks nothing
            assert not gathered
        shares.append(len(gathered) - before)
    assert list(gathered) == records
    assert max(shares) <= 6 * -(-4 // world)


def test_only_some_images_are_evenly_spread() -> None:
    assert list(spread(5, None)) == list(spread(5, 9)) == [0, 1, 2, 3, 4]
    assert list(spread(10, 4)) == [0, 2, 5, 7]
    assert list(spread(1000, 1000)) == list(range(1000))
    with pytest.raises(ConfigurationError, match="at least one"):
        spread(5, 0)


class Empty(RedSquares):
    name = "nothing|val"

    def image(self, index: int) -> AskedImage:
        return replace(super().image(0), questions=())


def test_a_set_that_asks_nothing_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"nothing\|val asks nothing"):
        evaluate_set(Examiner(never_rejecting(), (PROMPTED,)), Empty())


class Wrong(FakeSegmenter):
    """Answers with one field changed."""

    def __init__(self, **changes: object) -> None:
        super().__init__()
        self.capabilities = never_rejecting().capabilities
        self.changes = changes

    def segment(self, *arguments: object, **options: object) -> Segmentation:
        return replace(super().segment(*arguments, **options), **self.changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seg_probability": float("nan")}, "seg_probability nan; expected 0..1"),
        ({"seg_probability": 1.5}, "seg_probability 1.5"),
        ({"masks": np.full((1, HEIGHT, WIDTH), np.nan, np.float32)}, "dtype float32"),
        ({"masks": np.zeros((1, HEIGHT, WIDTH + 1), bool)}, r"bool\[S,24,32\]"),
    ],
)
def test_answers_that_are_no_numbers_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        evaluate_set(Examiner(Wrong(**changes), (PROMPTED,)), RedSquares())


class Skewed(RedSquares):
    def image(self, index: int) -> AskedImage:
        image = super().image(0)
        wrong = Asked("the red thing", "short", "left", np.zeros((5, 5), np.uint8))
        return replace(image, questions=(wrong,))


def test_a_true_mask_of_another_size_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"question 0 about img0 of squares\|val"):
        evaluate_set(Examiner(never_rejecting(), (PROMPTED,)), Skewed())


def test_a_model_that_rejects_or_no_protocol_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="before rejection"):
        Examiner(FakeSegmenter(), (PROMPTED,))
    with pytest.raises(ConfigurationError, match="No protocol"):
        Examiner(never_rejecting(), ())


def test_two_answers_to_one_question_are_refused() -> None:
    with pytest.raises(DatasetError, match="asked more than once"):
        in_order([record(1), record(0), record(1)])


def test_records_survive_their_file_exactly(tmp_path: Path) -> None:
    kept = [
        record(0, answer='Sure, "it" is\n[SEG], ünd more.', seg_probability=1 / 3),
        record(1, target_error_m=0.1 + 0.2, miss="did not see"),
        record(2, target_error_m=float("inf")),
        absent(3, question="=1+1"),
    ]
    path = tmp_path / "records.csv"
    path.write_bytes(to_csv(Record, kept))
    assert read_records(path) == kept


def test_names_of_files_need_not_be_text(tmp_path: Path) -> None:
    """On Linux they are bytes; hours of evaluation must not end at the first "caf\\xe9.jpg"."""
    name = b"caf\xe9.jpg".decode(errors="surrogateescape")
    path = tmp_path / "records.csv"
    path.write_bytes(to_csv(Record, [record(0, image=name)]))
    (read,) = read_records(path)
    assert read.image == "caf\\udce9.jpg"
    assert json.loads(to_json({"command": name})) == {"command": name}
    assert b"caf\\udce9.jpg" in page("Evaluation", [paragraph(name)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "columns none"),
        (b"a,b\n1,2\n", "columns a, b"),
        (to_csv(Record, [record()]).replace(b",64,", b",x,").replace(b"8,10", b"8,ten"), "line 2"),
        (to_csv(Record, [record()])[:-6], "line 2"),
        (b"\xff\xfe", "Cannot read"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "records.csv"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        read_records(path)
    with pytest.raises(DatasetError, match="Cannot read"):
        read_records(tmp_path / "missing.csv")
