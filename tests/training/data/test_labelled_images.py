"""ADE20K, COCO-Stuff and Mapillary: which pixels are which class, and what is wrong on a disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from semantic_tree import (
    HEIGHT,
    WIDTH,
    draws,
    errors_of,
    stripes,
    warnings_of,
    write_grey,
    write_image,
    write_palette,
)

from lisa_ros.errors import DatasetError
from lisa_ros.model.prompts import ANSWERS
from training.data.ade20k import open_ade20k
from training.data.class_names import shipped_class_names
from training.data.coco_stuff import open_coco_stuff
from training.data.labelled_images import LabelledImages
from training.data.mapillary import open_mapillary
from training.data.phrasing import QUESTIONS_PER_IMAGE
from training.data.sample import NothingToAskError, Sample


def ade_tree(root: Path, label: np.ndarray) -> tuple[Path, Path]:
    image = write_image(root / "ade20k/images/training/ADE_train_00000001.jpg")
    png = write_grey(root / "ade20k/annotations/training/ADE_train_00000001.png", label)
    return image, png


def stuff_tree(root: Path, label: np.ndarray) -> tuple[Path, Path]:
    image = write_image(root / "coco/train2017/000000000009.jpg")
    return image, write_grey(root / "cocostuff/train2017/000000000009.png", label)


def mapillary_tree(root: Path, label: np.ndarray, labels: list[dict]) -> tuple[Path, Path]:
    image = write_image(root / "mapillary/training/images/k.jpg")
    png = root / "mapillary/training/v2.0/labels/k.png"
    write_palette(png, label, [7, 7, 7] * 256)  # all of one colour: only indices tell them apart
    (root / "mapillary/config_v2.0.json").write_text(json.dumps({"labels": labels}))
    return image, png


def street_labels(count: int = 124) -> list[dict]:
    return [
        {"name": f"object--{n}", "readable": f"Class {n}", "evaluate": n != 3} for n in range(count)
    ]


def asked(sample: Sample) -> dict[str, np.ndarray]:
    return {
        turn.question: mask
        for (turn,), mask in zip(sample.conversations, sample.masks, strict=True)
    }


def asked_classes(dataset: LabelledImages, count: int = 60) -> set[str]:
    """The classes that draws of image 0 ask for, by one of the four forms of question."""
    start, end = "Please segment the ", " in this image."
    questions = {q for sample in draws(dataset, 0, count) for q in asked(sample)}
    return {q.removeprefix(start).removesuffix(end) for q in questions if q.startswith(start)}


def test_ade_value_is_class_number_and_zero_is_nothing(tmp_path: Path) -> None:
    label = stripes(0, 1, 5, 150)
    ade_tree(tmp_path, label)
    dataset = open_ade20k(tmp_path)
    assert asked_classes(dataset) == {"wall", "tree", "flag"}
    for sample in draws(dataset, 0, 20):
        assert sample.masks.dtype == np.uint8
        assert sample.masks.shape == (3, HEIGHT, WIDTH)
        for question, mask in asked(sample).items():
            value = {"wall": 1, "tree": 5, "flag": 150}
            (name,) = [name for name in value if name in question]
            assert np.array_equal(mask, label == value[name])


def test_stuff_value_is_label_less_one_and_hyphenated_names_vanish(tmp_path: Path) -> None:
    label = stripes(0, 95, 181, 255)  # 95 is building-other
    stuff_tree(tmp_path, label)
    dataset = open_coco_stuff(tmp_path)
    assert asked_classes(dataset) == {"person", "wood"}
    (sample,) = draws(dataset, 0, 1)
    assert sorted(int(mask.sum()) for mask in sample.masks) == [HEIGHT * 2, HEIGHT * 2]


def test_stuff_tree_below_a_folder_of_that_name(tmp_path: Path) -> None:
    root = tmp_path / "cocostuff.png" / "cocostuff"
    image, _ = stuff_tree(root, stripes(0, 1))
    assert open_coco_stuff(root).sample(0, np.random.default_rng(0)).image == image


def test_mapillary_reads_indices_and_leaves_void_out(tmp_path: Path) -> None:
    label = stripes(0, 3, 117, 123)
    mapillary_tree(tmp_path, label, street_labels())
    assert asked_classes(open_mapillary(tmp_path)) == {"class 0", "class 117"}
    upstream = open_mapillary(tmp_path, upstream_compat=True)
    assert asked_classes(upstream) == {"class 0", "class 3", "class 117", "class 123"}
    for sample in draws(upstream, 0, 20):
        assert len(sample.masks) == QUESTIONS_PER_IMAGE
        assert sample.masks.sum(axis=0).max() == 1, "classes of a label image do not overlap"


def test_mapillary_void_by_name(tmp_path: Path) -> None:
    labels = [*street_labels(2), {"name": "void--unlabeled", "readable": "Unlabeled"}]
    mapillary_tree(tmp_path, stripes(1, 2), labels)
    assert asked_classes(open_mapillary(tmp_path)) == {"class 1"}


def test_a_draw_depends_on_index_and_generator_alone(tmp_path: Path) -> None:
    ade_tree(tmp_path, stripes(1, 2, 3, 4))
    first, second = open_ade20k(tmp_path), open_ade20k(tmp_path)
    draws(first, 0, 3)
    for a, b in zip(draws(first, 0, 10), draws(second, 0, 10), strict=True):
        assert a.conversations == b.conversations
        assert np.array_equal(a.masks, b.masks)
    assert len({sample.conversations for sample in draws(first, 0, 10)}) > 5


@pytest.mark.parametrize("most", [1, 2, 3, 9])
def test_classes_are_drawn_without_replacement(tmp_path: Path, most: int) -> None:
    ade_tree(tmp_path, stripes(1, 2, 3, 4))
    for sample in draws(open_ade20k(tmp_path, max_questions=most), 0, 20):
        assert len(sample.conversations) == len(sample.masks) == min(most, 4)
        assert all(len(turns) == 1 for turns in sample.conversations)
        assert {turns[0].answer for turns in sample.conversations} <= set(ANSWERS)
        assert len({mask.tobytes() for mask in sample.masks}) == len(sample.masks)


def test_shipped_names() -> None:
    ade, stuff = (shipped_class_names(f"{name}_classes.txt") for name in ("ade20k", "coco_stuff"))
    assert (len(ade), len(set(ade))) == (150, 150)
    assert (len(stuff), len(set(stuff))) == (182, 182)
    # What golden G4 and DATASETS.md know of the numbers, by index from 0.
    assert [ade[i] for i in (0, 2, 4, 6, 11, 149)] == [
        "wall", "sky", "tree", "road", "sidewalk", "flag",
    ]  # fmt: skip
    assert [stuff[i] for i in (0, 2, 16, 94, 95, 168, 181)] == [
        "person", "car", "cat", "bridge", "building-other", "tree", "wood",
    ]  # fmt: skip
    assert all(name == name.strip().lower() for name in (*ade, *stuff))


def test_an_image_of_ignored_values_has_nothing_to_ask(tmp_path: Path) -> None:
    _, png = ade_tree(tmp_path, stripes(0))
    dataset = open_ade20k(tmp_path)
    with pytest.raises(NothingToAskError, match=png.name):
        dataset.sample(0, np.random.default_rng(0))
    (warning,) = warnings_of(dataset)
    assert warning.path == png
    assert errors_of(dataset) == []


def test_a_good_tree_has_no_problem(tmp_path: Path) -> None:
    ade_tree(tmp_path, stripes(1, 2))
    dataset = open_ade20k(tmp_path)
    assert list(dataset.problems()) == []
    assert dataset.counts() == {"images": 1, "classes": 150}


def spoil_by_removing_label(image: Path, png: Path) -> Path:
    png.unlink()
    return png


def spoil_by_removing_image(image: Path, png: Path) -> Path:
    image.unlink()
    return image


def spoil_by_cutting_label(image: Path, png: Path) -> Path:
    png.write_bytes(png.read_bytes()[:50])
    return png


def spoil_by_cutting_image(image: Path, png: Path) -> Path:
    image.write_bytes(image.read_bytes()[:-60])
    return image


def spoil_size(image: Path, png: Path) -> Path:
    return write_image(image, HEIGHT + 1, WIDTH)


def spoil_value(image: Path, png: Path) -> Path:
    return write_grey(png, stripes(1, 200))


def spoil_channels(image: Path, png: Path) -> Path:
    Image.new("RGB", (WIDTH, HEIGHT)).save(png)
    return png


def spoil_depth(image: Path, png: Path) -> Path:
    Image.new("1", (WIDTH, HEIGHT), 1).save(png)  # Pillow would stretch the 1 to 255
    return png


def spoil_format(image: Path, png: Path) -> Path:
    shutil.copy(image, png)
    return png


SPOILS = [value for name, value in sorted(globals().items()) if name.startswith("spoil_")]


@pytest.mark.parametrize("spoil", SPOILS, ids=[spoil.__name__ for spoil in SPOILS])
def test_what_is_wrong_is_found(tmp_path: Path, spoil) -> None:
    image, png = ade_tree(tmp_path, stripes(1, 2))
    write_image(image.with_name("ADE_train_00000002.jpg"))
    write_grey(png.with_name("ADE_train_00000002.png"), stripes(3, 4))
    culprit = spoil(image, png)
    dataset = open_ade20k(tmp_path)
    if spoil in (spoil_by_removing_image,):
        # ADE is listed by its images: a label without one is no sample.
        assert len(dataset) == 1
        assert [p.path for p in warnings_of(dataset)] == [png.parent]
        return
    (error,) = errors_of(dataset)
    assert error.path == culprit
    if spoil is not spoil_by_cutting_image:  # which only decoding shows: the collate's job
        with pytest.raises(DatasetError, match=culprit.name):
            dataset.sample(0, np.random.default_rng(0))
    assert dataset.sample(1, np.random.default_rng(0)).masks.any()


def test_stuff_without_its_image(tmp_path: Path) -> None:
    image, _ = stuff_tree(tmp_path, stripes(0, 1))
    image.rename(image.with_name("other.jpg"))
    dataset = open_coco_stuff(tmp_path)
    assert [problem.path for problem in errors_of(dataset)] == [image]
    assert [problem.path for problem in warnings_of(dataset)] == [image.parent]


@pytest.mark.parametrize("missing", ["images", "annotations"])
def test_a_missing_folder_is_named_at_once(tmp_path: Path, missing: str) -> None:
    ade_tree(tmp_path, stripes(1))
    shutil.rmtree(tmp_path / "ade20k" / missing)
    with pytest.raises(DatasetError, match=missing):
        open_ade20k(tmp_path)


def test_an_empty_folder(tmp_path: Path) -> None:
    image, _ = ade_tree(tmp_path, stripes(1))
    image.unlink()
    with pytest.raises(DatasetError, match="no files"):
        open_ade20k(tmp_path)


@pytest.mark.parametrize(
    "config", ["{", "[]", "{}", '{"labels": 1}', '{"labels": []}', '{"labels": [1]}',
               '{"labels": [{"name": "a"}]}', '{"labels": [{"readable": " ", "name": "a"}]}'],
)  # fmt: skip
def test_malformed_mapillary_configuration(tmp_path: Path, config: str) -> None:
    mapillary_tree(tmp_path, stripes(0), street_labels())
    (tmp_path / "mapillary/config_v2.0.json").write_text(config)
    with pytest.raises(DatasetError, match="mapillary"):
        open_mapillary(tmp_path)
