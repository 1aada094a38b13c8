"""Referring sets, against upstream's samples of the same fabricated tree, and with broken files."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lisa_ros.errors import DatasetError
from lisa_ros.model.prompts import ANSWERS, REFUSAL, SHORT_QUESTIONS
from lisa_ros.types import UInt8Array
from training.data.grefcoco import open_grefcoco
from training.data.refer import ReferringSet, open_refer
from training.data.sample import NothingToAskError, Sample

FIXTURES = Path(__file__).parent / "fixtures" / "refer"
REFER_SEG = FIXTURES / "refer_seg"
SAMPLES = json.loads((FIXTURES / "samples.json").read_text(encoding="utf-8"))
AUTHORS = {"refclef": "unc", "refcoco": "unc", "refcoco+": "unc", "refcocog": "umd"}
N_DRAWS = 60


@pytest.fixture(scope="module")
def golden_masks() -> Mapping[str, UInt8Array]:
    with np.load(FIXTURES / "masks.npz") as arrays:
        return dict(arrays)


def _draws(dataset: ReferringSet, index: int, number: int = N_DRAWS) -> list[Sample]:
    return [dataset.sample(index, np.random.default_rng(seed)) for seed in range(number)]


def _only_turns(sample: Sample) -> list[tuple[str, str]]:
    assert all(len(conversation) == 1 for conversation in sample.conversations)
    return [tuple(conversation[0]) for conversation in sample.conversations]


@pytest.mark.parametrize("kind", AUTHORS)
def test_upstreams_training_samples_are_among_ours(
    kind: str, golden_masks: Mapping[str, UInt8Array]
) -> None:
    golden = [row for row in SAMPLES if row["dataset"] == f"refer_seg/{kind}"]
    assert len(golden) == 4
    dataset = open_refer(REFER_SEG, kind, AUTHORS[kind], "train", upstream_compat=True)
    ours: dict[str, UInt8Array] = {}
    for sample in _draws(dataset, 0):
        for (question, answer), mask in zip(_only_turns(sample), sample.masks, strict=True):
            assert answer in ANSWERS
            np.testing.assert_array_equal(ours.setdefault(question, mask), mask)
    assert len(ours) == 4 * len(SHORT_QUESTIONS)
    for row in golden:
        assert FIXTURES / row["image"] == sample.image
        assert len(row["conversations"]) == len(sample.conversations)
        for turns, mask in zip(row["conversations"], golden_masks[row["key"]], strict=True):
            (question, answer) = turns[0]
            assert answer in ANSWERS
            np.testing.assert_array_equal(ours[question], mask)


@pytest.mark.parametrize("kind", ["refcoco", "refclef"])
def test_validation_asks_as_upstream_does(
    kind: str, golden_masks: Mapping[str, UInt8Array]
) -> None:
    golden = [row for row in SAMPLES if row["dataset"] == f"val/{kind}"]
    assert golden
    compat = open_refer(REFER_SEG, kind, "unc", "val", upstream_compat=True)
    clipped = open_refer(REFER_SEG, kind, "unc", "val")
    for row in golden:
        sample = compat.validation_sample(0)
        assert FIXTURES / row["image"] == sample.image
        expected = [tuple(turns[0]) for turns in row["conversations"]]
        assert _only_turns(sample) == expected
        np.testing.assert_array_equal(sample.masks, golden_masks[row["key"]])
        assert sample.masks.max() == 2
        fixed = clipped.validation_sample(0).masks
        np.testing.assert_array_equal(fixed, np.minimum(golden_masks[row["key"]], 1))
        assert fixed.dtype == np.uint8


def test_a_draw_is_a_function_of_the_index_and_the_generator() -> None:
    dataset = open_refer(REFER_SEG, "refcoco", "unc", "train")
    first, again = _draws(dataset, 0, 5), _draws(dataset, 0, 5)
    assert [s.conversations for s in first] == [s.conversations for s in again]
    assert len({s.conversations for s in first}) > 1


def test_counts() -> None:
    dataset = open_refer(REFER_SEG, "refcocog", "umd", "train")
    assert dataset.counts() == {
        "images": 1,
        "refs": 2,
        "sentences": 4,
        "sentences without target": 0,
        "objects": 2,
    }
    assert dataset.name == "refcocog|umd|train"


def test_an_object_without_pixels_is_reported() -> None:
    # refcocog's second annotation has no polygons.
    problems = list(open_refer(REFER_SEG, "refcocog", "umd", "train").problems())
    assert [p.severity for p in problems] == ["warning"]
    assert "covers no pixel" in problems[0].message


@pytest.mark.parametrize("kind", ["refcoco", "refcoco+", "refclef"])
@pytest.mark.parametrize("split", ["train", "val"])
def test_the_fixtures_have_no_problems(kind: str, split: str) -> None:
    assert list(open_refer(REFER_SEG, kind, "unc", split).problems()) == []


def test_a_the_is_not_doubled() -> None:
    dataset = open_refer(REFER_SEG, "refcoco", "unc", "train")
    questions = {q for sample in _draws(dataset, 0) for q, _ in _only_turns(sample)}
    assert "Please segment the man on left in this image." in questions
    assert not any("the the" in question for question in questions)


Change = Callable[[dict[str, Any], list[dict[str, Any]]], None]


def _changed(tmp_path: Path, change: Change, kind: str = "refcoco") -> Path:
    """A copy of a set with other instances and refs."""
    root = tmp_path / "refer_seg"
    shutil.copytree(REFER_SEG, root)
    for path in root.rglob("*"):
        path.chmod(0o755)
    instances_file = root / kind / "instances.json"
    (refs_file,) = (root / kind).glob("refs(*).p")
    instances = json.loads(instances_file.read_text())
    refs = pickle.loads(refs_file.read_bytes())
    change(instances, refs)
    instances_file.write_text(json.dumps(instances))
    refs_file.write_bytes(pickle.dumps(refs, 2))
    return root


def test_split_names_are_exact(tmp_path: Path) -> None:
    def change(_: dict[str, Any], refs: list[dict[str, Any]]) -> None:
        for ref, split in zip(refs, ("testA", "testA", "testB", "testB"), strict=True):
            ref["split"] = split

    root = _changed(tmp_path, change)
    (image,) = open_refer(root, "refcoco", "unc", "testA").validation_sample(0).image.parts[-1:]
    assert image == "COCO_train2014_000000000016.jpg"
    assert len(open_refer(root, "refcoco", "unc", "testB")) == 1
    for split in ("test", "A", "train"):
        with pytest.raises(DatasetError, match=r"testA \(2 refs\), testB \(2 refs\)"):
            open_refer(root, "refcoco", "unc", split)


def test_refs_of_other_authors_are_named() -> None:
    with pytest.raises(DatasetError, match=r"refs\(umd\)\.p"):
        open_refer(REFER_SEG, "refcocog", "unc", "train")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda i, r: r[0].update(ann_id=99), "annotation 99"),
        (lambda i, r: r[0].update(ann_id=2010), "annotation 2010 of image 200"),
        (lambda i, r: r[0].update(ann_id=[]), "ann_id"),
        (lambda i, r: r[0].update(image_id=7), "image 7"),
        (lambda i, r: r[0].update(image_id="200"), "image_id"),
        (lambda i, r: r[0].pop("sentences"), "ref 0 of .*sentences"),
        (lambda i, r: r[0]["sentences"][0].pop("sent"), "sent"),
        (lambda i, r: i.pop("annotations"), "annotations"),
        (lambda i, r: i["images"][0].pop("height"), "image 0 of .*height"),
    ],
)
def test_a_malformed_index_is_an_error_that_says_where(
    tmp_path: Path, change: Change, expected: str
) -> None:
    root = _changed(tmp_path, change)
    with pytest.raises(DatasetError, match=expected):
        open_refer(root, "refcoco", "unc", "train")


def test_broken_json_is_an_error_that_says_where(tmp_path: Path) -> None:
    root = _changed(tmp_path, lambda i, r: None)
    (root / "refcoco" / "instances.json").write_text('{"images": [}')
    with pytest.raises(DatasetError, match=r"instances\.json is not JSON.*line 1, column 13"):
        open_refer(root, "refcoco", "unc", "train")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda i, r: r[0]["sentences"][0].update(sent="the [SEG] man"), "[SEG]"),
        (lambda i, r: r[0]["sentences"][0].update(sent="<image> man"), "<image>"),
        (lambda i, r: i["annotations"][0].update(segmentation=[[1.0, 2.0, 3.0, 4.0]]), "2000"),
        (lambda i, r: i["annotations"][0].update(segmentation="polygon"), "2000"),
        (lambda i, r: i["annotations"][0].update(segmentation=[[0, 0, 9e9, 0, 0, 9]]), "2000"),
        (lambda i, r: i["images"][0].update(height=121), "88x120"),
        (lambda i, r: i["images"][0].update(file_name="gone.jpg"), "gone.jpg"),
    ],
)
def test_what_is_wrong_with_an_image_is_found_and_not_sampled(
    tmp_path: Path, change: Change, expected: str
) -> None:
    dataset = open_refer(_changed(tmp_path, change), "refcoco", "unc", "train")
    problems = list(dataset.problems())
    assert [p.severity for p in problems] == ["error"]
    assert expected in problems[0].message
    with pytest.raises(DatasetError):
        dataset.validation_sample(0)
    with pytest.raises(DatasetError):
        _draws(dataset, 0)


def test_images_that_are_evaluated_on_too_are_reported(tmp_path: Path) -> None:
    def change(_: dict[str, Any], refs: list[dict[str, Any]]) -> None:
        refs[1]["split"] = "val"  # of the same image as refs[0], as in google's splits
        refs += [{**refs[1], "split": "testA"}, {**refs[1], "split": "testA"}]

    root = _changed(tmp_path, change)
    told = {
        split: [p.message for p in open_refer(root, "refcoco", "unc", split).problems()]
        for split in ("train", "val")
    }
    assert len(told["train"]) == 2
    assert "1 images of 'train' are in 'testA' too" in told["train"][0]
    assert "1 images of 'train' are in 'val' too" in told["train"][1]
    (message,) = told["val"]
    assert "1 images of 'val' are in 'train' too" in message


def test_blank_sentences_are_reported_and_left_out(tmp_path: Path) -> None:
    dataset = open_refer(
        _changed(tmp_path, lambda i, r: r[0]["sentences"][0].update(sent=" ")),
        *("refcoco", "unc", "train"),
    )
    assert [p.severity for p in dataset.problems()] == ["warning"]
    assert len(dataset.validation_sample(0).conversations) == 3


def test_an_image_of_blank_sentences_has_nothing_to_ask(tmp_path: Path) -> None:
    def change(_: dict[str, Any], refs: list[dict[str, Any]]) -> None:
        for ref in refs:
            ref["sentences"] = []

    dataset = open_refer(_changed(tmp_path, change), "refcoco", "unc", "train")
    with pytest.raises(NothingToAskError):
        dataset.sample(0, np.random.default_rng(0))


def _as_grefcoco(tmp_path: Path, *, as_json: bool) -> Path:
    """The second object of the first image is not meant alone; one sentence means nothing."""

    def change(_: dict[str, Any], refs: list[dict[str, Any]]) -> None:
        refs[0]["ann_id"] = [2000, 2001]
        refs[1]["ann_id"] = [-1]
        refs[1]["no_target"] = True

    root = _changed(tmp_path, change)
    folder = (root / "refcoco").rename(root / "grefcoco")
    stored = folder / "refs(unc).p"
    if as_json:
        refs = pickle.loads(stored.read_bytes())
        (folder / "grefs(unc).json").write_text(json.dumps(refs))
    else:
        stored.rename(folder / "grefs(unc).p")
    return root


@pytest.mark.parametrize("as_json", [True, False])
def test_what_is_not_in_the_image_is_refused(tmp_path: Path, as_json: bool) -> None:
    dataset = open_grefcoco(_as_grefcoco(tmp_path, as_json=as_json), "unc", "train")
    absent = ("second bottle from the right", "blue umbrella")
    for sample in _draws(dataset, 0, 20):
        turns = _only_turns(sample)
        assert len(sample.masks) == sum(answer.count("[SEG]") for _, answer in turns)
        for question, answer in turns:
            is_absent = any(sentence in question for sentence in absent)
            assert (answer == REFUSAL) == is_absent
            assert is_absent or answer in ANSWERS
    assert dataset.counts()["sentences without target"] == 2


def test_a_target_of_several_objects_is_their_union(tmp_path: Path) -> None:
    single = open_refer(REFER_SEG, "refcoco", "unc", "train").validation_sample(0).masks
    dataset = open_grefcoco(_as_grefcoco(tmp_path, as_json=True), "unc", "train")
    masks = dataset.validation_sample(0).masks
    np.testing.assert_array_equal(masks[0], single[0] | single[2])
    assert (masks[0] > single[0]).any()
    assert masks.max() == 1  # a sum would hold 2, since two polygons of an object overlap
    assert masks.shape[0] == 4
    assert not masks[2:].any()


def test_a_missing_grefs_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"grefs\(unc\)\.json"):
        open_grefcoco(tmp_path, "unc", "train")
