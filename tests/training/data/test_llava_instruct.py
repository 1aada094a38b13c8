"""LLaVA-Instruct: whole conversations about an image, and what is wrong with a file of them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from lisa_ros.errors import ConfigurationError, DatasetError
from training.data.llava_instruct import LlavaInstruct
from training.data.registry import open_dataset
from training.data.set_aside import VAL_SHARE, is_set_aside

FIXTURES = Path(__file__).parent / "fixtures" / "llava"
IMAGES = FIXTURES / "coco" / "train2017"
GOOD = ["<image>\nWhat is this?", "A boat."]


def _opened(folder: Path, *items: object) -> LlavaInstruct:
    path = folder / "llava_instruct_150k.json"
    path.write_text(json.dumps(items))
    return LlavaInstruct(path, IMAGES)


def _item(*values: str, first: str = "human") -> dict[str, object]:
    speakers = ("human", "gpt") if first == "human" else ("gpt", "human")
    turns = [{"from": speakers[n % 2], "value": value} for n, value in enumerate(values)]
    return {"id": "9", "image": "000000000009.jpg", "conversations": turns}


def test_conversations_are_upstreams() -> None:
    golden = json.loads((FIXTURES / "samples.json").read_text(encoding="utf-8"))
    dataset = LlavaInstruct(FIXTURES / "llava_dataset" / "llava_instruct_150k.json", IMAGES)
    rng = np.random.default_rng(0)
    ours = {s.image.name: s for s in (dataset.sample(i, rng) for i in range(len(dataset)))}
    assert len(golden) == 4
    for row in golden:
        sample = ours[Path(row["image"]).name]
        # The golden file splits a conversation into turns.
        turns = [tuple(turn) for conversation in row["conversations"] for turn in conversation]
        assert [tuple(turn) for turn in sample.conversations[0]] == turns
        assert sample.masks.shape == tuple(row["mask_shape"])
        assert sample.masks.dtype == np.uint8
    assert dataset.counts() == {"conversations": 2, "images": 2, "turns": 6}
    assert list(dataset.problems()) == []
    assert dataset.name == "llava_instruct_150k"


def test_an_opening_of_the_model_is_dropped(tmp_path: Path) -> None:
    dataset = _opened(tmp_path, _item("Welcome!", *GOOD, first="gpt"))
    (conversation,) = dataset.sample(0, np.random.default_rng(0)).conversations
    assert conversation == (("What is this?", "A boat."),)
    assert list(dataset.problems()) == []


@pytest.mark.parametrize("question", ["<image>\nWhat is this?", "What is this?\n<image>"])
def test_the_placeholder_is_taken_from_either_end(tmp_path: Path, question: str) -> None:
    dataset = _opened(tmp_path, _item(question, "A boat."))
    (conversation,) = dataset.sample(0, np.random.default_rng(0)).conversations
    assert conversation == (("What is this?", "A boat."),)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (_item(), "speakers"),
        (_item(*GOOD, "And what else?"), "speakers"),
        (_item(*GOOD, first="gpt"), "speakers"),
        (_item("What is this?", "A boat."), "0 times"),
        (_item("<image> <image> What?", "A boat."), "2 times"),
        (_item(*GOOD, "And <image>?", "A dog."), "Turn 2"),
        (_item("<image>\nWhat is this?", "It is [SEG]."), "[SEG]"),
        (_item("<image>\nWhat is [SEG]?", "It is."), "[SEG]"),
        (_item("<image>\n", "A boat."), "Turn 0"),
        (_item(*GOOD, "Why?", " "), "Turn 3"),
        ({**_item(*GOOD), "image": None}, "image"),
        ({"image": "000000000009.jpg"}, "conversations"),
        ({"image": "000000000009.jpg", "conversations": ["hello"]}, "from"),
        ("an item", "item 1"),
    ],
)
def test_a_malformed_item_is_found_and_not_sampled(
    tmp_path: Path, item: object, expected: str
) -> None:
    dataset = _opened(tmp_path, _item(*GOOD), item)
    (problem,) = dataset.problems()
    assert problem.severity == "error"
    assert "item 1 of" in problem.message
    assert expected in problem.message
    with pytest.raises(DatasetError, match="item 1 of"):
        dataset.sample(1, np.random.default_rng(0))


def test_a_missing_image_is_found(tmp_path: Path) -> None:
    dataset = _opened(tmp_path, {**_item(*GOOD), "image": "gone.jpg"})
    (problem,) = dataset.problems()
    assert problem.path == IMAGES / "gone.jpg"
    with pytest.raises(DatasetError, match=r"gone\.jpg"):
        dataset.sample(0, np.random.default_rng(0))


@pytest.mark.parametrize("content", ["", "[]", "{}", "[{]"])
def test_a_file_without_items_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "llava_instruct_150k.json"
    path.write_text(content)
    with pytest.raises(DatasetError, match=r"llava_instruct_150k\.json"):
        LlavaInstruct(path, IMAGES)


def _about(number: int) -> dict[str, object]:
    return {**_item(*GOOD), "image": f"{number:012}.jpg"}


def _images(dataset: LlavaInstruct) -> set[int]:
    numbers = {number for number in dataset.coco_numbers() if number is not None}
    assert len(numbers) == len(dataset) / 2
    return numbers


def test_training_and_validation_share_no_image_and_lack_none(tmp_path: Path) -> None:
    items = [_about(number) for number in [*range(1000)] * 2]
    random.Random(0).shuffle(items)
    whole = _opened(tmp_path, *items)
    path = tmp_path / f"{whole.name}.json"
    earlier: set[int] = set()
    for share in (0.01, 0.05, 0.3):
        train, val = (_images(LlavaInstruct(path, IMAGES, s, share)) for s in ("train", "val"))
        assert not train & val
        assert train | val == set(range(1000))
        assert len(val) == pytest.approx(1000 * share, rel=0.4)
        assert earlier < val  # what a smaller share sets aside is never trained on with a larger
        earlier = val
    assert _images(LlavaInstruct(path, IMAGES, "train", 0.0)) == set(range(1000))


def test_what_is_set_aside_is_so_for_ever() -> None:
    set_aside = [n for n in range(400) if is_set_aside(f"{n:012}", VAL_SHARE)]
    assert set_aside == [176, 203, 277]


def test_splits_by_name_and_share() -> None:
    whole = LlavaInstruct(FIXTURES / "llava_dataset" / "llava_instruct_150k.json", IMAGES)
    options = {"val_share": 0.5, "hold_out": False}
    train, val = (open_dataset("llava_instruct", FIXTURES, s, options) for s in ("train", "val"))
    assert (train.name, val.name) == (f"{whole.name}|train", f"{whole.name}|val")
    rng = np.random.default_rng(0)
    assert [d.sample(0, rng).image.name for d in (train, val)] == [
        "000000000009.jpg",
        "000000000025.jpg",
    ]
    for dataset, turns in ((train, 4), (val, 2)):
        assert dataset.counts() == {"conversations": 1, "images": 1, "turns": turns}
    with pytest.raises(DatasetError, match=r"None of the 2 items .*'val': val_share is 0\.01\."):
        open_dataset("llava_instruct", FIXTURES, "val")
    with pytest.raises(ConfigurationError, match="train and val, not 'test'"):
        open_dataset("llava_instruct", FIXTURES, "test")
    with pytest.raises(ConfigurationError, match=r"val_share is 1\.0; expected at least 0"):
        open_dataset("llava_instruct", FIXTURES, options={"val_share": 1.0})


def test_an_item_is_told_by_its_place_in_the_file(tmp_path: Path) -> None:
    whole = _opened(tmp_path, _item(*GOOD) | {"image": "000000000025.jpg"}, "an item")
    train = LlavaInstruct(tmp_path / f"{whole.name}.json", IMAGES, "train", 0.5)
    assert len(train) == 1
    (problem,) = train.problems()
    assert "item 1 of" in problem.message
