"""Simulated rooms as a dataset."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from block_rooms import block_room

from lisa_ros.errors import ConfigurationError, DatasetError
from lisa_ros.model.prompts import ANSWERS, REFUSAL, SUPPLIED_ANSWER
from lisa_ros.simulation.language import judge
from lisa_ros.simulation.storage import read_rooms, write_rooms
from lisa_ros.types import Status
from training.data.__main__ import main
from training.data.registry import kind_of, open_dataset
from training.data.sample import ImageDataset, Sample
from training.data.simulated import SimulatedRooms

TAIL = " Please output segmentation mask."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rooms")
    write_rooms(folder, [block_room(seed) for seed in range(6)])
    return folder


def draws(dataset: ImageDataset, number: int = 40) -> list[Sample]:
    return [
        dataset.sample(seed % len(dataset), np.random.default_rng(seed)) for seed in range(number)
    ]


@pytest.mark.parametrize("phrasings", ["train", "unseen"])
def test_answers_and_masks_are_what_the_room_says(folder: Path, phrasings: str) -> None:
    rooms = {str(room.image.tobytes()): room for room in read_rooms(folder)}
    answers: Counter[str] = Counter()
    for sample in draws(SimulatedRooms(folder, phrasings, requests_per_image=4)):
        assert sample.pixels is not None
        room = rooms[str(sample.pixels.tobytes())]
        masks = iter(sample.masks)
        for ((question, answer),) in sample.conversations:
            verdict = judge(room, question.removesuffix(TAIL))
            answers[answer] += 1
            if verdict.expected is Status.FOUND:
                assert answer in ANSWERS
                np.testing.assert_array_equal(next(masks), room.mask(verdict.target_ids))
            else:
                assert (verdict.expected, answer) == (Status.NOT_FOUND, REFUSAL)
        assert next(masks, None) is None
        assert sample.masks.dtype == np.uint8
    assert set(answers) == {*ANSWERS, REFUSAL}
    assert 0.1 < answers[REFUSAL] / answers.total() < 0.5


def test_a_sample_is_a_function_of_the_index_and_the_generator(folder: Path) -> None:
    once, again = (draws(SimulatedRooms(folder), 6) for _ in range(2))
    assert [s.conversations for s in once] == [s.conversations for s in again]
    assert len({str(s.image) for s in once}) == 6
    assert once[3].image == Path(f"{folder / 'rooms-00000.npz'}#3")


def test_validation_asks_the_same_every_time(folder: Path) -> None:
    dataset = SimulatedRooms(folder, requests_per_image=4, absent_share=0.5)
    first, again = dataset.validation_sample(2), dataset.validation_sample(2)
    assert first.conversations == again.conversations
    assert len(first.masks) == len(first.conversations) == 4
    assert {turn.answer for (turn,) in first.conversations} == {SUPPLIED_ANSWER}
    assert sorted(mask.any() for mask in first.masks) == [False, False, True, True]


def test_options(folder: Path) -> None:
    options = {
        "requests_per_image": 1,
        "absent_share": 1.0,
        "prompt_template": "Look: {instruction}",
    }
    dataset = open_dataset("rooms", folder, "unseen", options)
    assert (dataset.name, len(dataset)) == ("rooms|unseen", 6)
    for sample in draws(dataset, 6):
        ((turn,),) = sample.conversations
        assert turn.question.startswith("Look: ")
        assert turn.answer == REFUSAL
        assert sample.masks.shape == (0, 48, 64)


@pytest.mark.parametrize(
    ("split", "options", "said"),
    [
        ("val", {}, "train or unseen"),
        (None, {"requests_per_image": 0}, "requests_per_image 0"),
        (None, {"absent_share": 1.5}, "absent_share 1.5"),
        (None, {"prompt_template": "no field"}, "instruction"),
        (None, {"max_questions": 3}, "requests_per_image, absent_share"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    folder: Path, split: str | None, options: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        open_dataset("rooms", folder, split, options)


def test_counts_and_problems(folder: Path, tmp_path: Path) -> None:
    dataset = SimulatedRooms(folder)
    assert dataset.counts() == {
        "images": 6,
        "objects": 12,
        "targets": 12,
        "kinds": 2,
        "rooms without these": 0,
        "first_seed": 0,
        "last_seed": 5,
    }
    assert list(dataset.problems()) == []
    rooms = [block_room(seed) for seed in range(2)]
    rooms[1].instances[rooms[1].instances == 2] = 0
    write_rooms(tmp_path, rooms)
    (problem,) = SimulatedRooms(tmp_path).problems()
    assert problem.severity == "error"
    assert str(problem.path).endswith("#1")
    assert "object 2 (ball) has 0 pixels" in problem.message


def test_damage_is_an_error_and_a_problem(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="generate"):
        SimulatedRooms(tmp_path)
    content = bytearray((folder / "rooms-00000.npz").read_bytes())
    content[200:300] = b"\xff" * 100
    (tmp_path / "rooms-00000.npz").write_bytes(bytes(content))
    dataset = SimulatedRooms(tmp_path)
    with pytest.raises(DatasetError, match="rooms-00000"):
        dataset.sample(0, np.random.default_rng(0))
    assert [problem.severity for problem in dataset.problems()] == ["error"]


def test_the_commands_know_rooms(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert kind_of(folder) == "rooms"
    assert main(["validate", str(folder), "--kind", "rooms"]) == 0
    assert "targets: 12\nkinds: 2\nrooms without these: 0\n" in capsys.readouterr().out
    sheet = tmp_path / "sheet.png"
    options = ["--samples", "2", "--split", "unseen", "--option", "requests_per_image=1"]
    assert main(["preview", str(folder), "--out", str(sheet), *options]) == 0
    assert sheet.stat().st_size > 1000
    assert main(["preview", str(folder), "--out", str(sheet), "--option", "colour=red"]) == 1
    assert "colour" in capsys.readouterr().err
