from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lab_recordings import box, cup, lab_sample, write_lab_dataset
from PIL import Image

from lisa_ros.errors import DatasetError
from lisa_ros.model.prompts import ANSWERS, LONG_QUESTIONS, REFUSAL, SHORT_QUESTIONS
from lisa_ros.recordings.annotation import REVIEWED_FLAG
from lisa_ros.recordings.collection import SampleCollection
from training.data.lab import LabDataset
from training.data.sample import NothingToAskError, Sample

REASON = "It has a handle, so nobody burns a hand."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_lab_dataset(tmp_path)
    return tmp_path


def explain(folder: Path) -> None:
    entry = {"image": "bag01/000000.jpg", "query": cup().texts[1], "outputs": REASON}
    (folder / "explanatory").mkdir()
    (folder / "explanatory" / "train.json").write_text(json.dumps([entry]))


def drawn(dataset: LabDataset, index: int, count: int) -> list[Sample]:
    return [dataset.sample(index, np.random.default_rng(seed)) for seed in range(count)]


def seg_count(sample: Sample) -> int:
    return sum(turn.answer.count("[SEG]") for turns in sample.conversations for turn in turns)


def test_splits(folder: Path) -> None:
    assert [len(LabDataset(folder, split)) for split in ("train", "val", None)] == [2, 1, 3]
    assert LabDataset(folder).name == "kitchen|train"
    assert LabDataset(folder, None).name == "kitchen|all"
    with pytest.raises(DatasetError, match=r"test\.txt has no sample"):
        LabDataset(folder, "test")
    with pytest.raises(DatasetError, match="Unknown split 'dev'"):
        LabDataset(folder, "dev")


def test_sentences_are_asked_in_the_long_form(folder: Path) -> None:
    asked = {form.format(sent=text) for form in LONG_QUESTIONS for text in cup().texts}
    answers = set()
    for sample in drawn(LabDataset(folder), 0, 40):
        assert len(sample.conversations) == len(sample.masks) == 2
        assert {turns[0].question for turns in sample.conversations} <= asked
        answers |= {turns[0].answer for turns in sample.conversations}
        for mask in sample.masks:
            np.testing.assert_array_equal(mask, cup().mask)
    assert answers == set(ANSWERS)


def test_each_query_has_its_own_mask_and_absent_things_are_refused(folder: Path) -> None:
    plates = {form.format(class_name="the green plate") for form in SHORT_QUESTIONS}
    plates |= {form.format(class_name="green plate") for form in SHORT_QUESTIONS}
    asked: Counter[str] = Counter()
    for sample in drawn(LabDataset(folder), 1, 40):
        masks = iter(sample.masks)
        assert len(sample.conversations) == 3
        assert seg_count(sample) == len(sample.masks)
        for (turn,) in sample.conversations:
            if "elephant" in turn.question:
                assert turn.answer == REFUSAL
                asked["elephant"] += 1
                continue
            plate = turn.question in plates
            asked["plate" if plate else "cup"] += 1
            expected = box(30, 5, 44, 30) if plate else cup().mask
            np.testing.assert_array_equal(next(masks), expected)  # ignored pixels are background
    assert min(asked[name] for name in ("elephant", "plate", "cup")) > 10


def test_a_sample_depends_on_the_generator_alone(folder: Path) -> None:
    first, again = (LabDataset(folder).sample(1, np.random.default_rng(7)) for _ in range(2))
    assert first.conversations == again.conversations
    np.testing.assert_array_equal(first.masks, again.masks)


def test_a_turned_image_is_refused(folder: Path) -> None:
    path = folder / "samples" / "bag01" / "000000.jpg"
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down, so the size tells nothing
    with Image.open(path) as image:
        image.save(path, exif=exif)
    with pytest.raises(DatasetError, match=r"000000\.jpg has EXIF orientation 3"):
        LabDataset(folder).sample(0, np.random.default_rng(0))
    with pytest.raises(DatasetError, match="Turn its pixels"):
        LabDataset(folder).validation_sample(0)


def test_explanations_belong_to_train(folder: Path) -> None:
    explain(folder)
    kinds: Counter[str] = Counter()
    for sample in drawn(LabDataset(folder), 0, 200):
        assert seg_count(sample) == len(sample.masks)
        for (turn,) in sample.conversations:
            if turn.answer == REASON:
                assert turn.question in cup().texts
                kinds["reason"] += 1
            elif turn.answer.endswith(REASON):
                assert "[SEG]" in turn.answer
                assert "expla" in turn.question
                kinds["both"] += 1
            else:
                kinds["mask"] += 1
    # Of 400 conversations 40, 180 and 180 are expected; five standard deviations are 30 to 50.
    assert 10 <= kinds["reason"] <= 70
    assert 130 <= kinds["both"] <= 230
    plain = LabDataset(folder, reason_only_share=None)
    answers = {t[0].answer for s in drawn(plain, 0, 20) for t in s.conversations}
    assert answers <= set(ANSWERS)


def test_validation_asks_every_query_and_keeps_what_is_ignored(folder: Path) -> None:
    sample = LabDataset(folder).validation_sample(1)
    assert [turns[0].question for turns in sample.conversations] == [
        "What holds hot tea? Please output segmentation mask.",
        "What is the green plate in this image? Please output segmentation mask.",
        "What is the elephant in this image? Please output segmentation mask.",
    ]
    assert sample.masks.shape == (3, 48, 64)
    assert [int((mask == 1).sum()) for mask in sample.masks] == [300, 350, 0]
    assert [int((mask == 255).sum()) for mask in sample.masks] == [60, 60, 60]


def test_counts(folder: Path) -> None:
    explain(folder)
    assert dict(LabDataset(folder, None).counts()) == {
        "images": 3, "queries": 5, "queries without target": 1, "texts": 8, "targets": 4,
        "images with depth": 2, "explanations": 1,
    }  # fmt: skip


def test_an_image_of_another_size_is_named(folder: Path) -> None:
    path = folder / "samples" / "bag01" / "000000.json"
    path.write_text(path.read_text().replace('"imageWidth": 64', '"imageWidth": 63'))
    with pytest.raises(DatasetError, match=r"000000\.jpg"):
        LabDataset(folder).sample(0, np.random.default_rng(0))


def test_a_token_in_a_text_is_named(folder: Path) -> None:
    path = folder / "samples" / "bag01" / "000000.json"
    path.write_text(path.read_text().replace("hot tea", "[SEG]"))
    with pytest.raises(DatasetError, match=r"000000\.json"):
        LabDataset(folder).sample(0, np.random.default_rng(0))


def test_answers_of_a_robot_that_nobody_reviewed_are_no_truth(tmp_path: Path) -> None:
    sample = lab_sample("a")
    flags = {REVIEWED_FLAG: False}
    unseen = replace(sample.annotation, other={**sample.annotation.other, "flags": flags})
    samples = SampleCollection(tmp_path, "robot", reserve_bytes=0)
    samples.add(sample)
    samples.add(replace(sample, annotation=unseen))
    dataset = LabDataset(tmp_path)
    assert dataset.counts()["not reviewed"] == 1
    drawn(dataset, 0, 1)
    with pytest.raises(NothingToAskError, match="not been reviewed"):
        drawn(dataset, 1, 1)
    dataset.validation_sample(0)
    with pytest.raises(NothingToAskError, match="not been reviewed"):
        dataset.validation_sample(1)
