"""ReasonSeg, against upstream's samples and masks of the same files, and with broken files."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lisa_ros.errors import DatasetError
from lisa_ros.model.prompts import ANSWERS
from lisa_ros.types import UInt8Array
from training.data.reason_seg import ReasonSeg
from training.data.reason_seg_annotation import read_annotation
from training.data.sample import Problem, Sample

FIXTURES = Path(__file__).parent / "fixtures" / "reason_seg"
GOLDEN = FIXTURES / "golden" / "ReasonSeg"
FABRICATED = FIXTURES / "fabricated" / "ReasonSeg"
SAMPLES = json.loads((FIXTURES / "samples.json").read_text(encoding="utf-8"))
N_DRAWS = 80
# Upstream's --explanatory, of which -1 leaves explanations out.
SHARES = {"-1": None, "0.0": 0.0, "0.1": 0.1, "1.0": 1.0}


@pytest.fixture(scope="module")
def golden_masks() -> Mapping[str, UInt8Array]:
    with np.load(FIXTURES / "masks.npz") as arrays:
        return dict(arrays)


def _golden(dataset: str) -> list[dict[str, Any]]:
    rows = [row for row in SAMPLES if row["dataset"] == dataset]
    assert rows
    return rows


def _draws(dataset: ReasonSeg, index: int, number: int = N_DRAWS) -> list[Sample]:
    return [dataset.sample(index, np.random.default_rng(seed)) for seed in range(number)]


def _turns(sample: Sample) -> list[tuple[str, str]]:
    assert all(len(conversation) == 1 for conversation in sample.conversations)
    return [tuple(conversation[0]) for conversation in sample.conversations]


def _explanation_of(answer: str) -> str:
    """The answer without its accepting part, which must be one of upstream's."""
    accepting = [a for a in sorted(ANSWERS, key=len) if answer.startswith(a)]
    return answer.removeprefix(accepting[-1]).lstrip() if accepting else answer


@pytest.mark.parametrize("share", SHARES)
def test_upstreams_training_samples_are_among_ours(
    share: str, golden_masks: Mapping[str, UInt8Array]
) -> None:
    dataset = ReasonSeg(GOLDEN, ["train"], reason_only_share=SHARES[share], upstream_compat=True)
    ours = {}
    for index in range(len(dataset)):
        samples = _draws(dataset, index)
        forms = {
            (question, "[SEG]" in answer, _explanation_of(answer))
            for sample in samples
            for question, answer in _turns(sample)
        }
        ours[samples[0].image.name] = (forms, samples)
    for row in _golden(f"reason_seg/explanatory={share}"):
        forms, samples = ours[Path(row["image"]).name]
        turns = [tuple(turns[0]) for turns in row["conversations"]]
        assert len(turns) == len(samples[0].conversations)
        for question, answer in turns:
            assert (question, "[SEG]" in answer, _explanation_of(answer)) in forms
        expected = golden_masks[row["key"]]
        (ours_with_as_many, *_) = [s.masks for s in samples if len(s.masks) == len(expected)]
        np.testing.assert_array_equal(ours_with_as_many, expected)


@pytest.mark.parametrize("share", SHARES)
def test_every_mark_in_an_answer_has_a_mask(share: str) -> None:
    dataset = ReasonSeg(GOLDEN, ["train"], reason_only_share=SHARES[share])
    for index in range(len(dataset)):
        for sample in _draws(dataset, index, 20):
            marks = sum(answer.count("[SEG]") for _, answer in _turns(sample))
            assert len(sample.masks) == marks
            assert set(np.unique(sample.masks)) <= {0, 1}
            assert sample.masks.dtype == np.uint8
            height, width = sample.masks.shape[1:]
            with Image.open(sample.image) as image:
                assert image.size == (width, height)


@pytest.mark.slow
def test_explained_images_are_answered_in_three_ways_by_their_shares() -> None:
    dataset = ReasonSeg(GOLDEN, ["train"])
    ways: Counter[str] = Counter()
    for sample in _draws(dataset, 0, 600):
        ((_, answer), *_) = _turns(sample)
        if "[SEG]" not in answer:
            ways["reason"] += 1
        else:
            ways["both" if _explanation_of(answer) else "mask"] += 1
    # Standard deviations are 12, 12 and 7.
    assert abs(ways["mask"] - 270) < 50
    assert abs(ways["both"] - 270) < 50
    assert abs(ways["reason"] - 60) < 30


def test_validation_asks_as_upstream_does(golden_masks: Mapping[str, UInt8Array]) -> None:
    dataset = ReasonSeg(GOLDEN, ["val"], reason_only_share=None)
    ours = {s.image.name: s for s in map(dataset.validation_sample, range(len(dataset)))}
    rows = _golden("val/ReasonSeg")
    assert {Path(row["image"]).name for row in rows} == ours.keys()
    for row in rows:
        sample = ours[Path(row["image"]).name]
        assert _turns(sample) == [tuple(turns[0]) for turns in row["conversations"]]
        np.testing.assert_array_equal(sample.masks, golden_masks[row["key"]])
    assert set(np.unique(ours["31_val_0.jpg"].masks)) == {0, 1, 255}


def test_masks_of_all_golden_annotations_are_upstreams() -> None:
    with np.load(FIXTURES / "json_masks.npz") as arrays:
        expected = dict(arrays)
    assert len(expected) == 8
    for key, mask in expected.items():
        split, name = key.split("/")
        folder = FIXTURES / "json_extra" if split == "extra" else GOLDEN / split
        np.testing.assert_array_equal(read_annotation(folder / name).mask(*mask.shape), mask)


@pytest.mark.parametrize("split", ["train", "val"])
def test_masks_of_the_fabricated_set_are_upstreams(split: str) -> None:
    expected = json.loads((FIXTURES / "fabricated" / "expected_masks.json").read_text())["masks"]
    dataset = ReasonSeg(FABRICATED, [split], reason_only_share=None)
    for index in range(len(dataset)):
        sample = dataset.validation_sample(index)
        facts = expected[f"{split}/{sample.image.name}"]
        (mask,) = sample.masks
        assert hashlib.sha256(mask.tobytes()).hexdigest() == facts["mask_sha256_uint8"]
        assert (mask == 1).sum() == facts["n_target"]


def test_three_different_texts_of_four_are_asked() -> None:
    dataset = ReasonSeg(FABRICATED, ["train"], reason_only_share=1.0)
    asked = [tuple(question for question, _ in _turns(s)) for s in _draws(dataset, 0, 40)]
    assert all(len(set(questions)) == 3 for questions in asked)
    assert len({text for questions in asked for text in questions}) == 4


def test_windows_text_is_read_and_a_phrase_is_lower_cased() -> None:
    dataset = ReasonSeg(FABRICATED, ["train"])
    sample = dataset.validation_sample(2)
    question = "What is the robot\u2019s cup in this image? Please output segmentation mask."
    assert _turns(sample) == [(question, "[SEG].")]
    asked = {q for s in _draws(ReasonSeg(GOLDEN, ["train"]), 1, 40) for q, _ in _turns(s)}
    assert "Can you segment the red umbrella in this image?" in asked
    assert not any("Umbrella" in question or "the the" in question for question in asked)


def test_several_splits_are_listed_one_after_the_other_and_sorted() -> None:
    dataset = ReasonSeg(FABRICATED, ["train", "val"])
    names = [dataset.validation_sample(i).image.name for i in range(len(dataset))]
    train = ["1000000001_0a1b2c3d4e_o.jpg", "1000000003_ffff_o.jpg", "scene9000_00_200.jpg"]
    assert names == [*train, "scene9000_00_0.jpg"]
    assert dataset.name == "ReasonSeg|train_val"
    counts = {"images": 4, "explanations": 1, "sentences": 6, "phrases": 1, "polygons": 9}
    assert dataset.counts() == counts


def test_the_fixtures_only_have_the_problems_put_into_them() -> None:
    assert list(ReasonSeg(FABRICATED, ["train", "val"]).problems()) == []
    (problem,) = ReasonSeg(GOLDEN, ["train", "val"]).problems()
    assert problem.path.name == "31_val_2.json"
    assert "no shapes" in problem.message


def test_a_split_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(DatasetError, match="explanatory, train, val"):
        ReasonSeg(GOLDEN, ["test"], reason_only_share=None)


def test_explanations_must_be_there_unless_they_are_left_out(tmp_path: Path) -> None:
    folder = _copied(tmp_path)
    shutil.rmtree(folder / "explanatory")
    with pytest.raises(DatasetError, match=r"explanatory.train\.json"):
        ReasonSeg(folder, ["train"])
    assert len(ReasonSeg(folder, ["train"], reason_only_share=None)) == 2
    assert len(ReasonSeg(folder, ["val"])) == 3


def _copied(tmp_path: Path) -> Path:
    folder = tmp_path / "reason_seg.jpg" / "ReasonSeg"  # a name that a replaced suffix would hit
    shutil.copytree(GOLDEN, folder)
    for path in folder.rglob("*"):
        path.chmod(0o755)
    return folder


def _problems(folder: Path, tmp_path: Path) -> list[Problem]:
    problems = list(ReasonSeg(folder, ["train"]).problems())
    assert all(tmp_path in problem.path.parents for problem in problems)
    return problems


def test_images_are_found_by_any_suffix_in_any_case(tmp_path: Path) -> None:
    folder = _copied(tmp_path)
    (folder / "train" / "31_train_0.jpg").rename(folder / "train" / "31_train_0.JPG")
    with Image.open(folder / "train" / "31_train_1.jpg") as image:
        image.save(folder / "train" / "a name with spaces.PNG")
    annotation = folder / "train" / "31_train_1.json"
    shutil.copy(annotation, annotation.with_name("a name with spaces.json"))
    annotation.with_suffix(".jpg").rename(annotation.with_suffix(".jpeg"))
    dataset = ReasonSeg(folder, ["train"], reason_only_share=None)
    images = [dataset.validation_sample(i).image.name for i in range(len(dataset))]
    assert images == ["31_train_0.JPG", "31_train_1.jpeg", "a name with spaces.PNG"]


Change = Callable[[dict[str, Any]], None]


def _changed(tmp_path: Path, change: Change) -> tuple[Path, Path]:
    """A copy of ReasonSeg with one annotation changed, and the path of that."""
    folder = _copied(tmp_path)
    path = folder / "train" / "31_train_0.json"
    annotation = json.loads(path.read_text())
    change(annotation)
    path.write_text(json.dumps(annotation))
    return folder, path


def _set_shape(**values: object) -> Change:
    return lambda annotation: annotation["shapes"][0].update(values)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda a: a.update(text=[]), "empty list"),
        (lambda a: a.update(text="one"), "'text'"),
        (lambda a: a["text"].append(" \n"), "Text 3"),
        (lambda a: a["text"].append("the [SEG] one"), "[SEG]"),
        (lambda a: a["text"].append("<image> of it"), "<image>"),
        (lambda a: a["text"].append("a \ud83d"), "half of a character, '\\ud83d'"),
        (lambda a: a["text"].append(7), "a text of"),
        (lambda a: a.pop("is_sentence"), "is_sentence"),
        (lambda a: a.update(is_sentence="yes"), "is_sentence"),
        (lambda a: a.update(shapes=None), "shapes"),
        (lambda a: a.update(shapes=[3]), "shape 0"),
        (_set_shape(label=None), "label"),
        (_set_shape(points=[]), "points"),
        (_set_shape(points=[[1, 2], [3]]), "point 1 of shape 0"),
        (_set_shape(points=[[1, 2], [3, "4"]]), "point 1 of shape 0"),
        (_set_shape(points=[[1, 2], [3, float("nan")], [9, 9]]), "nan"),
        (_set_shape(points=[[1, 2], [3, 1e300], [9, 9]]), "1e+300"),
        (_set_shape(points=[[1, 2], [3, 10**400], [9, 9]]), "point 1 of shape 0"),
    ],
)
def test_a_malformed_annotation_is_found_and_not_sampled(
    tmp_path: Path, change: Change, expected: str
) -> None:
    folder, path = _changed(tmp_path, change)
    (problem,) = _problems(folder, tmp_path)
    assert (problem.severity, problem.path) == ("error", path)
    assert expected in problem.message
    dataset = ReasonSeg(folder, ["train"])
    for read in (dataset.validation_sample, lambda i: dataset.sample(i, np.random.default_rng(0))):
        with pytest.raises(DatasetError, match=r"31_train_0\.json"):
            read(0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda a: a.update(shapes=[]), "no shapes"),
        (_set_shape(points=[[5, 5], [60, 60]]), "2 points"),
        (_set_shape(shape_type="rectangle"), "'rectangle'"),
        (lambda a: [shape.update(label="ignored") for shape in a["shapes"]], "in sight"),
        (lambda a: [s.update(points=[[-9, -9]] * 3) for s in a["shapes"]], "in sight"),
    ],
)
def test_what_upstream_takes_without_complaint_is_a_warning(
    tmp_path: Path, change: Change, expected: str
) -> None:
    folder, path = _changed(tmp_path, change)
    (problem,) = _problems(folder, tmp_path)
    assert (problem.severity, problem.path) == ("warning", path)
    assert expected in problem.message
    ReasonSeg(folder, ["train"]).validation_sample(0)


@pytest.mark.parametrize("content", [b"", b'{"text": [', b"\x81\xff", b"[" * 100_000, b"1"])
def test_a_file_that_is_no_json_is_found(tmp_path: Path, content: bytes) -> None:
    folder = _copied(tmp_path)
    path = folder / "train" / "31_train_0.json"
    path.write_bytes(content)
    (problem,) = _problems(folder, tmp_path)
    assert (problem.severity, problem.path) == ("error", path)


def test_files_without_their_partner_are_found(tmp_path: Path) -> None:
    folder = _copied(tmp_path)
    (folder / "train" / "31_train_0.jpg").unlink()
    (folder / "train" / "31_train_1.json").unlink()
    shutil.copy(folder / "train" / "31_train_1.jpg", folder / "train" / "31_train_1.jpeg")
    found = {(p.severity, p.path.name) for p in _problems(folder, tmp_path)}
    assert ("warning", "31_train_0.json") in found
    assert ("warning", "train.json") in found  # it explains the image that is gone
    assert ("error", "31_train_1.json") in found


def test_images_that_do_not_decode_or_are_turned_are_found(tmp_path: Path) -> None:
    folder = _copied(tmp_path)
    first, second = sorted((folder / "train").glob("*.jpg"))
    first.write_bytes(first.read_bytes()[:-2000])
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(second) as image:
        image.save(second, exif=exif)
    found = {p.path: p for p in _problems(folder, tmp_path)}
    assert found[first].severity == "error"
    assert found[second].severity == "warning"
    assert "EXIF orientation 6" in found[second].message


def test_a_turned_image_is_used_upright_as_upstream_does(tmp_path: Path) -> None:
    folder = _copied(tmp_path)
    path = folder / "train" / "31_train_0.jpg"
    with Image.open(path) as image:
        stored = np.array(image.convert("RGB"))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(np.ascontiguousarray(np.rot90(stored))).save(path, quality=100, exif=exif)
    before = ReasonSeg(GOLDEN, ["train"], reason_only_share=None)
    after = ReasonSeg(folder, ["train"], reason_only_share=None)
    for sample_of in (
        lambda dataset: dataset.sample(0, np.random.default_rng(0)),
        lambda dataset: dataset.validation_sample(0),
    ):
        expected, sample = sample_of(before), sample_of(after)
        assert sample.conversations == expected.conversations
        np.testing.assert_array_equal(sample.masks, expected.masks)
        assert expected.pixels is None
        assert np.abs(sample.pixels.astype(int) - stored).mean() < 3


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    folder = _copied(tmp_path)
    (folder / "train" / "._31_train_0.jpg").write_bytes(b"of a Mac")
    (folder / "train" / "._31_train_0.json").write_bytes(b"of a Mac")
    assert len(ReasonSeg(folder, ["train"])) == 2
    assert _problems(folder, tmp_path) == []


def test_a_picture_in_two_splits_is_a_leak(tmp_path: Path) -> None:
    folder = _copied(tmp_path)
    shutil.copy(folder / "train" / "31_train_1.jpg", folder / "val" / "renamed.jpg")
    (folder / "val" / "dangling.jpg").symlink_to("nowhere")
    found = list(ReasonSeg(folder, ["train"]).problems())
    assert [(p.severity, p.path.name) for p in found] == [("warning", "31_train_1.jpg")]
    assert "renamed.jpg too: a leak" in found[0].message
    both = ReasonSeg(folder, ["train", "val"])  # then nothing is kept for evaluation
    assert not [p for p in both.problems() if "leak" in p.message]


def test_a_room_in_two_splits_is_told() -> None:
    picture, room = ReasonSeg(FABRICATED, ["train"]).problems()
    assert (picture.severity, picture.path.name) == ("warning", "scene9000_00_200.jpg")
    assert (room.severity, room.path.name) == ("warning", "val")
    assert "shows 1 rooms that train shows too, such as scene9000;" in room.message


@pytest.mark.parametrize("outputs", ["", "It is [SEG], because"])
def test_an_explanation_that_cannot_be_an_answer_is_found(tmp_path: Path, outputs: str) -> None:
    folder = _copied(tmp_path)
    path = folder / "explanatory" / "train.json"
    path.write_text(json.dumps([{"image": "31_train_0.jpg", "query": "", "outputs": outputs}]))
    (problem,) = _problems(folder, tmp_path)
    assert (problem.severity, problem.path) == ("error", path)
    with pytest.raises(DatasetError, match=r"31_train_0\.jpg"):
        ReasonSeg(folder, ["train"]).sample(0, np.random.default_rng(0))
