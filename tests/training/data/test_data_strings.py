"""Names of datasets, and what training must leave out for evaluation's sake."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from lisa_ros.errors import ConfigurationError, DatasetError
from training.data.data_strings import (
    ReasonSegName,
    ReferName,
    open_data_string,
    parse_data_string,
)
from training.data.held_out import coco_images_of_refer_tests

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ReasonSeg|train", ReasonSegName("ReasonSeg", ("train",))),
        ("ReasonSeg|train_val", ReasonSegName("ReasonSeg", ("train", "val"))),
        ("my lab|test", ReasonSegName("my lab", ("test",))),
        ("refcoco|unc|testA", ReferName("refcoco", "unc", "testA")),
        ("refcoco+|unc|val", ReferName("refcoco+", "unc", "val")),
        ("refcocog", ReferName("refcocog", "umd", "train")),
        ("grefcoco|unc|testB", ReferName("grefcoco", "unc", "testB")),
    ],
)
def test_names_are_taken_apart(text: str, name: ReasonSegName | ReferName) -> None:
    assert parse_data_string(text) == name


@pytest.mark.parametrize(
    "text",
    [
        *("", "|", "ReasonSeg", "ReasonSeg|", "ReasonSeg|train_", "|train", "ReasonSeg|a|b"),
        *("refcoco|unc", "refcoco|unc|", "refcoco||val", "refcoco|unc|val|x", "refcoc|unc|val"),
    ],
)
def test_what_is_no_name_is_an_error_that_shows_the_forms(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"ReasonSeg\|train.*refcoco\|unc\|testA"):
        parse_data_string(text)


@pytest.mark.parametrize("text", ["refcoco|unc|train", "refclef|unc|val", "refcocog|umd|val"])
def test_referring_sets_are_opened_by_name(text: str) -> None:
    dataset = open_data_string(FIXTURES / "refer", text)
    assert dataset.name == text
    assert len(dataset) == 1


def test_reason_seg_is_opened_by_name(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "reason_seg" / "golden", tmp_path / "reason_seg")
    assert open_data_string(tmp_path, "ReasonSeg|train_val").counts()["explanations"] == 1
    val = open_data_string(tmp_path, "ReasonSeg|val")
    assert (val.name, len(val)) == ("ReasonSeg|val", 3)


def test_a_set_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(DatasetError, match="grefcoco"):
        open_data_string(FIXTURES / "refer", "grefcoco|unc|train")
    with pytest.raises(DatasetError, match="NoSuchFolder"):
        open_data_string(FIXTURES / "refer", "NoSuchFolder|train")


def test_images_of_referring_tests(tmp_path: Path) -> None:
    assert coco_images_of_refer_tests(FIXTURES / "refer" / "refer_seg") == {201, 301, 401}
    (tmp_path / "refcoco").mkdir()
    refs = [
        {"image_id": number, "split": split, "ann_id": 1, "sentences": []}
        for number, split in enumerate(("train", "val", "testA", "testB", "test", "train"))
    ]
    (tmp_path / "refcoco" / "refs(google).p").write_bytes(pickle.dumps(refs, 2))
    assert coco_images_of_refer_tests(tmp_path, [("refcoco", "google")]) == {1, 2, 3, 4}
