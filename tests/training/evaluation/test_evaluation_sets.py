"""What is asked of real formats: public sets, a lab's recordings, rooms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from block_rooms import block_room
from lab_recordings import cup, write_lab_dataset

from lisa_ros.errors import ConfigurationError, DatasetError
from training.evaluation.lab_set import open_lab_set
from training.evaluation.opening import open_conversations, open_sets
from training.evaluation.public_sets import open_public_set
from training.evaluation.room_set import RoomEvaluation, asked_of_room

FIXTURES = Path(__file__).parent.parent / "data" / "fixtures"


@pytest.fixture
def reason_seg(tmp_path: Path) -> Path:
    """A tree with ReasonSeg where upstream has it."""
    (tmp_path / "reason_seg").symlink_to(FIXTURES / "reason_seg" / "fabricated")
    return tmp_path


def test_reason_seg_asks_sentences_long_and_phrases_short(reason_seg: Path) -> None:
    dataset = open_public_set(reason_seg, "ReasonSeg|train_val")
    images = [dataset.image(index) for index in range(len(dataset))]
    assert len({image.name for image in images}) == len(images) == 4
    assert {image.name: image.questions[0].source for image in images} == {
        "train/1000000001_0a1b2c3d4e_o.jpg": "OpenImages",
        "train/1000000003_ffff_o.jpg": "OpenImages",
        "train/scene9000_00_200.jpg": "ScanNet",
        "val/scene9000_00_0.jpg": "ScanNet",
    }
    forms = set()
    for image in images:
        (asked,) = image.questions
        forms.add(asked.form)
        is_phrase = asked.text.startswith("What is ") and "in this image?" in asked.text
        assert asked.form == ("short" if is_phrase else "long")
        assert asked.truth.shape == image.pixels.shape[:2]
        assert asked.present
    assert forms == {"short", "long"}


def test_referring_sets_ask_every_sentence() -> None:
    dataset = open_public_set(FIXTURES / "refer", "refcoco|unc|val")
    image = dataset.image(0)
    assert len(image.questions) > 1
    for asked in image.questions:
        assert (asked.form, asked.source) == ("short", "refcoco")
        assert asked.text == asked.text.lower().replace("what is", "What is").replace(
            "please", "Please"
        )
        assert set(np.unique(asked.truth)) == {0, 1}


def test_a_lab_split_brings_its_depth(tmp_path: Path) -> None:
    write_lab_dataset(tmp_path)
    dataset = open_lab_set(tmp_path, "train")
    first, several = dataset.image(0), dataset.image(1)
    assert dataset.name == "kitchen|train"
    assert first.depth is not None
    assert np.isnan(first.depth.measured_m[:, :5]).all()
    assert [q.form for q in several.questions] == ["long", "short", "short"]
    assert [q.present for q in several.questions] == [True, True, False]
    assert {q.source for q in several.questions} == {"bag01"}
    assert open_lab_set(tmp_path, "val").image(0).depth is None
    np.testing.assert_array_equal(first.questions[0].target, cup().mask)


def test_requests_about_a_room_are_wrapped_and_lifted() -> None:
    room = block_room(3)
    plain = asked_of_room(room, seed=0, split="train", noise=False)
    again = asked_of_room(
        room, seed=0, split="train", noise=True, template="{instruction} Please output a mask."
    )
    assert [f"{q.text} Please output a mask." for q in plain.questions] == [
        q.text for q in again.questions
    ]
    assert plain.depth is not None
    assert again.depth is not None
    np.testing.assert_array_equal(plain.depth.measured_m, room.depth_m)
    assert not np.array_equal(again.depth.measured_m, room.depth_m)
    np.testing.assert_array_equal(again.depth.true_m, room.depth_m)


def test_sets_of_rooms_differ_in_name_if_in_anything() -> None:
    usual = RoomEvaluation("tabletop", 7, 200)
    assert usual.name == "rooms|tabletop|7-206|train"
    others = [
        RoomEvaluation("tabletop", 8, 200),
        RoomEvaluation("tabletop", 7, 100),
        RoomEvaluation("tabletop", 7, 200, "unseen"),
        RoomEvaluation("tabletop", 7, 200, noise=True),
    ]
    assert len({usual.name, *(other.name for other in others)}) == 5


def test_names_need_a_tree_and_conversations_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--dataset-dir"):
        open_sets(None, ["ReasonSeg|val"], [], "val")
    with pytest.raises(ConfigurationError, match="names no dataset"):
        open_sets(tmp_path, ["refcoco|val"], [], "val")
    with pytest.raises(DatasetError):
        open_sets(tmp_path, ["ReasonSeg|val"], [], "val")
    with pytest.raises(ConfigurationError, match="--talk got 0"):
        open_conversations(None, [])
    with pytest.raises(ConfigurationError, match="--talk got 1"):
        open_conversations(tmp_path, ["file"])


def test_plain_conversations_are_opened_by_file() -> None:
    llava = FIXTURES / "llava"
    file = llava / "llava_dataset" / "llava_instruct_150k.json"
    dataset = open_conversations(None, [str(file), str(llava / "coco" / "train2017")])
    assert len(dataset) > 0
