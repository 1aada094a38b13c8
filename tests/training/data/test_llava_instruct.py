"""LLaVA-Instruct: whole conversations about an image, and what is wrong with a file of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lisa_ros.errors import DatasetError
from training.data.llava_instruct import LlavaInstruct

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
