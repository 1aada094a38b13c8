"""No image that a referring set is evaluated on is drawn for training; and options by name."""

from __future__ import annotations

import json
import logging
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lisa_ros.errors import ConfigurationError, DatasetError
from training.data.coco_number import coco_number
from training.data.held_out import evaluated_coco_images, without_evaluated
from training.data.registry import KINDS, open_dataset
from training.data.sample import ImageDataset

FIXTURES = Path(__file__).parent / "fixtures"
ON_COCO = ("cocostuff", "paco_lvis", "llava_instruct")


def _evaluate_on(tree: Path, *numbers: int, kind: str = "refcoco", by: str = "unc") -> None:
    folder = tree / "refer_seg" / kind
    folder.mkdir(parents=True, exist_ok=True)
    refs = [
        {"image_id": number, "split": split, "ann_id": 1, "sentences": []}
        for number, split in [(1_000_000, "train"), *((number, "testA") for number in numbers)]
    ]
    if kind == "grefcoco":
        (folder / f"grefs({by}).json").write_text(json.dumps(refs))
    else:
        (folder / f"refs({by}).p").write_bytes(pickle.dumps(refs, 2))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """COCO's images 9 and 25, with labels, parts and conversations."""
    for part in ("semantic", "llava"):
        shutil.copytree(
            FIXTURES / part, tmp_path, dirs_exist_ok=True, copy_function=shutil.copyfile
        )
    return tmp_path


def _drawn(dataset: ImageDataset) -> set[str]:
    return {
        dataset.sample(seed % len(dataset), np.random.default_rng(seed)).image.name
        for seed in range(20)
    }


@pytest.mark.parametrize("kind", ON_COCO)
def test_images_of_evaluation_are_not_drawn(
    tree: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    everything = open_dataset(kind, tree)
    names = _drawn(everything)
    number = min(number for name in names if (number := coco_number(name)) is not None)
    _evaluate_on(tree, number, kind="refcocog", by="umd")
    evaluated_coco_images.cache_clear()
    with caplog.at_level(logging.INFO):
        dataset = open_dataset(kind, tree)
    left_out = len(everything) - len(dataset)
    assert left_out >= 1
    assert dataset.counts()["images held out"] == left_out
    assert f"{dataset.name}: {left_out} of {len(everything)} images are held out" in caplog.text
    assert {coco_number(name) for name in _drawn(dataset)} == {
        coco_number(name) for name in names
    } - {number}
    assert list(dataset.problems()) == list(everything.problems())
    whole = open_dataset(kind, tree, options={"hold_out": False})
    assert _drawn(whole) == names


def test_train_splits_of_referring_sets_lose_what_others_test(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "refer", tmp_path, dirs_exist_ok=True, copy_function=shutil.copyfile)
    # Image 200 is in the train split of refcoco, whose refs stay as they are.
    _evaluate_on(tmp_path, 200, kind="grefcoco")
    with pytest.raises(DatasetError, match="hold_out: false"):
        open_dataset("refcoco", tmp_path)
    assert len(open_dataset("refcoco|unc|val", tmp_path)) == 1
    assert len(open_dataset("refcoco|unc|train", tmp_path, options={"hold_out": False})) == 1
    assert len(open_dataset("refclef", tmp_path)) == 1
    assert open_dataset("refcocog", tmp_path).counts()["images held out"] == 0


def test_only_sets_on_coco_can_be_held_out(tree: Path) -> None:
    rooms = type("Rooms", (), {"name": "rooms|train"})()
    with pytest.raises(DatasetError, match=r"rooms\|train has no images of COCO.*hold_out: false"):
        without_evaluated(rooms, tree)


def test_what_to_do_is_said_where_the_refs_to_hold_out_are_unreadable(tree: Path) -> None:
    (tree / "refer_seg" / "refcoco+").mkdir(parents=True)
    evaluated_coco_images.cache_clear()
    with pytest.raises(DatasetError, match=r"refcoco\+.*cocostuff.*hold_out: false"):
        open_dataset("cocostuff", tree)
    assert len(open_dataset("cocostuff", tree, options={"hold_out": False})) > 0


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("000000000009.jpg", 9),
        ("train2017/000000000025.jpg", 25),
        ("COCO_train2014_000000581929.jpg", 581929),
        ("2008_000002.jpg", None),
        ("ADE_train_00000001.jpg", None),
    ],
)
def test_numbers_of_coco(name: str, number: int | None) -> None:
    assert coco_number(name) == number


@pytest.mark.parametrize("kind", [*KINDS, "refcoco|unc|val", "ReasonSeg|train_val"])
def test_an_unknown_option_names_those_there_are(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown key 'colour'\. Known keys: \w+"):
        open_dataset(kind, tmp_path, options={"colour": "red"})


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("ade20k", {"max_questions": 0}, "max_questions is 0"),
        ("ade20k", {"max_questions": "many"}, "should be int"),
        ("mapillary", {"upstream_compat": 1}, "choose true or false"),
        ("cocostuff", {"hold_out": ["refcoco"]}, "choose true or false"),
        ("lab", {"reason_only_share": 2.0}, "0 to 1"),
        ("scannet", {"target": "panoptic"}, "instance, semantic"),
        ("scannet", {"every": 0}, "every"),
        ("refclef", {"hold_out": True}, "unknown key 'hold_out'"),
    ],
)
def test_options_out_of_range(
    tmp_path: Path, kind: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        open_dataset(kind, tmp_path, options=options)


@pytest.mark.parametrize("kind", ["ade20k", "cocostuff", "mapillary", "paco_lvis", "pascal_part"])
def test_max_questions_arrives(tree: Path, kind: str) -> None:
    for limit in (1, 2):
        dataset = open_dataset(kind, tree, options={"max_questions": limit})
        samples = [dataset.sample(0, np.random.default_rng(seed)) for seed in range(5)]
        assert max(len(sample.conversations) for sample in samples) == limit


def test_max_questions_arrives_in_named_sets(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "reason_seg" / "golden", tmp_path / "reason_seg")
    for folder, kind in ((FIXTURES / "refer", "refcoco"), (tmp_path, "ReasonSeg|train")):
        dataset = open_dataset(kind, folder, options={"max_questions": 1, "upstream_compat": True})
        assert len(dataset.sample(0, np.random.default_rng(0)).conversations) == 1
