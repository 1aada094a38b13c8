"""Requests that keep to some kinds of things, and rooms written as a lab dataset."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from block_rooms import block_room

from lisa_ros.errors import ConfigurationError, DatasetError
from lisa_ros.recordings.dataset_folder import open_dataset as open_lab
from lisa_ros.recordings.sample import read_sample
from lisa_ros.simulation.language import judge, parse
from lisa_ros.simulation.phrase import ANY_KIND
from lisa_ros.simulation.room import Room
from lisa_ros.simulation.storage import write_rooms
from lisa_ros.types import Status
from training.data.__main__ import main
from training.data.lab import LabDataset
from training.data.registry import open_dataset
from training.data.room_export import Frames, export_rooms
from training.data.room_requests import KindChoice, draw_requests

# A room of these: apple and lemon are fruits, the others stand alone.
KINDS = ("mug", "ball", "apple", "lemon", "book", "clock")
TAIL = " Please output segmentation mask."


def shelf_room(seed: int, kinds: tuple[str, ...] = KINDS) -> Room:
    """Things of these kinds in a row, 20 px apart, in place of the blocks."""
    room = block_room(seed, 40, 20 * len(kinds) + 20)
    room.instances[:] = 0
    objects = []
    for number, kind in enumerate(kinds, start=1):
        room.instances[10:22, 20 * number - 6 : 20 * number + 6] = number
        objects.append(
            dataclasses.replace(
                room.objects[0],
                id=number,
                kind=kind,
                color=("red", "blue", "green")[number % 3],
                center_px=(20.0 * number - 0.5, 15.5),
                position_m=(0.2 * number, 0.0, 0.8),
            )
        )
    return dataclasses.replace(room, objects=tuple(objects))


def kinds_of(room: Room, ids: tuple[int, ...]) -> set[str]:
    return {item.kind for item in room.objects if item.id in ids}


def many(kinds: KindChoice, absent_share: float = 0.4) -> list[tuple[Room, str]]:
    drawn = []
    for seed in range(30):
        room, rng = shelf_room(seed), np.random.default_rng(seed)
        drawn += [(room, r.text) for r in draw_requests(room, rng, 4, "train", absent_share, kinds)]
    return drawn


def test_without_never_speaks_of_a_kind() -> None:
    left_out = {"apple", "mug"}
    drawn = many(KindChoice(without=frozenset(left_out)))
    assert len(drawn) == 120
    targets = set()
    for room, text in drawn:
        phrase = parse(text)
        assert phrase is not None
        named = set() if phrase.kinds == ANY_KIND else set(phrase.kinds)
        assert not left_out & (named | phrase.anchor)
        assert not any(word in text.lower() for word in ("apple", "mug", "cup"))
        targets |= kinds_of(room, judge(room, text).target_ids)
    assert targets == {"ball", "lemon", "book", "clock"}


def test_only_asks_for_nothing_else() -> None:
    drawn = many(KindChoice(only=frozenset({"apple", "keys"})))
    found = {Status.FOUND: 0, Status.NOT_FOUND: 0}
    mentioned = set()
    for room, text in drawn:
        verdict, phrase = judge(room, text), parse(text)
        assert verdict.expected is not None
        assert phrase is not None
        found[verdict.expected] += 1
        if verdict.target_ids:
            assert kinds_of(room, verdict.target_ids) == {"apple"}
        else:
            assert phrase.kinds <= {"apple", "keys"}
        mentioned |= phrase.anchor
    assert found[Status.FOUND] == pytest.approx(72, abs=15)
    assert found[Status.NOT_FOUND] == pytest.approx(48, abs=15)
    assert mentioned - {"apple"}  # other things say where it is


def test_texts_of_an_image_differ() -> None:
    for seed in range(5):
        room, rng = shelf_room(seed), np.random.default_rng(seed)
        requests = draw_requests(room, rng, 6, "unseen", 0.0, KindChoice(only=frozenset({"book"})))
        assert (
            len({request.text.lower().rstrip(".?") for request in requests}) == len(requests) == 6
        )


def test_kinds_that_contradict_or_do_not_exist() -> None:
    with pytest.raises(ConfigurationError, match=r"no kind 'unicorn'.*apple, ball"):
        KindChoice(only=frozenset({"unicorn"}))
    with pytest.raises(ConfigurationError, match="'mug'"):
        KindChoice(only=frozenset({"mug"}), without=frozenset({"mug"}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every third room has no apple."""
    folder = tmp_path_factory.mktemp("rooms")
    rooms = [shelf_room(n, KINDS[:2] + KINDS[3:] if n % 3 == 0 else KINDS) for n in range(12)]
    write_rooms(folder, rooms)
    return folder


def test_rooms_without_the_kinds_are_left_out(folder: Path) -> None:
    only = open_dataset("rooms", folder, options={"only_kinds": ["apple"], "absent_share": 0.0})
    assert len(only) == 8
    assert only.counts()["rooms without these"] == 4
    for index in range(len(only)):
        sample = only.sample(index, np.random.default_rng(index))
        assert len(sample.masks) == len(sample.conversations) == 3
        for mask in sample.masks:
            assert mask[15, 60] == 1  # the third place
            assert mask.sum() == 144
    without = open_dataset("rooms", folder, options={"without_kinds": list(KINDS[:2])})
    assert len(without) == 12
    for index in range(len(without)):
        for (turn,) in without.sample(index, np.random.default_rng(index)).conversations:
            phrase = parse(turn.question.removesuffix(TAIL))
            assert phrase is not None
            assert "mug" not in phrase.anchor
    with pytest.raises(DatasetError, match="No room"):
        open_dataset("rooms", folder, options={"only_kinds": ["teapot"]})
    with pytest.raises(ConfigurationError, match="unicorn"):
        open_dataset("rooms", folder, options={"without_kinds": ["unicorn"]})


def test_exported_rooms_are_a_lab_dataset(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lab"
    asked = ["--frames", "5", "--val-frames", "2", "--kinds", "apple, keys", "--seed", "3"]
    assert main(["export-rooms", str(folder), str(out), *asked]) == 0
    assert main(["validate", str(out)]) == 0
    told = capsys.readouterr().out
    assert "0 errors, 0 warnings" in told
    assert "images with depth: 7" in told
    assert "target_depth_percent: 100" in told
    train, val = LabDataset(out, "train"), LabDataset(out, "val")
    assert (len(train), len(val)) == (5, 2)
    for index in range(5):
        sample = train.sample(index, np.random.default_rng(index))
        assert sample.masks.any(axis=(1, 2)).all()
    dataset = open_lab(out)
    for stem in dataset.stored_stems():
        sample = read_sample(dataset, stem)
        room = shelf_room(int(stem[4:10]))
        assert sample.depth_m is not None
        np.testing.assert_allclose(sample.depth_m, room.depth_m, atol=5.1e-4)
        assert sample.frame(rectified=True).intrinsics == room.intrinsics
        for query in sample.annotation.asked:
            for text in query.texts:
                expected = judge(room, text)
                assert (expected.expected is Status.NOT_FOUND) is query.no_target
                mask = sample.annotation.mask(query) == 1
                np.testing.assert_array_equal(mask, room.mask(expected.target_ids))


def test_more_frames_contain_fewer(folder: Path, tmp_path: Path) -> None:
    kinds = KindChoice(only=frozenset({"apple"}))
    for count in (2, 4):
        frames = Frames(count, 1, kinds)
        export_rooms(folder, tmp_path / str(count), frames, seed=1, reserve_bytes=0)
    few, more = (open_lab(tmp_path / str(count)) for count in (2, 4))
    assert few.split_stems("train") == more.split_stems("train")[:2]
    assert few.split_stems("val") == more.split_stems("val")
    for stem in few.stored_stems():
        paths = [lab.sample_paths(stem).annotation for lab in (few, more)]
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_too_few_rooms_leave_nothing(folder: Path, tmp_path: Path) -> None:
    frames = Frames(9, 0, KindChoice(only=frozenset({"apple"})))
    with pytest.raises(DatasetError, match=r"8 rooms that show 1 or more of apple; 9 are wanted"):
        export_rooms(folder, tmp_path / "out", frames, reserve_bytes=0)
    with pytest.raises(DatasetError, match="has 0 rooms that show 2 or more"):
        export_rooms(folder, tmp_path / "out", frames._replace(things=2), reserve_bytes=0)
    with pytest.raises(DatasetError, match="generate"):
        export_rooms(tmp_path, tmp_path / "out", frames, reserve_bytes=0)
    assert list(tmp_path.iterdir()) == []


def test_a_head_is_taught_nothing_of_kinds_left_out(folder: Path) -> None:
    options = {"taught": True, "without_kinds": ["mug", "book"]}
    dataset = open_dataset("rooms", folder, options=options)
    taught = dataset.sample(1, np.random.default_rng(0)).taught
    assert taught is not None
    room = shelf_room(1)
    told = {item.kind for item in room.objects if taught.shown[:, room.mask([item.id])].any()}
    assert told == {"ball", "apple", "lemon", "clock"}
