"""PACO-LVIS and PASCAL-Part: names, prompts, masks of annotations, and malformed indices."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as pycoco
from semantic_tree import (
    HEIGHT,
    WIDTH,
    box,
    coco_index,
    draws,
    errors_of,
    stripes,
    warnings_of,
    write_image,
    write_paco,
)

from lisa_ros.errors import DatasetError
from training.data.paco import open_paco
from training.data.part_images import PartName, part_name
from training.data.pascal_part import open_pascal_part
from training.data.sample import NothingToAskError

CATEGORIES = {2444: "car_(automobile):wheel", 207: "car_(automobile)", 23: "trash_can"}
WHEEL = {"category_id": 2444, "segmentation": box(1, 1, 4, 4)}
CAR = {"category_id": 207, "segmentation": {"size": [HEIGHT, WIDTH], "counts": [6, 12, 30]}}
CAN = {"category_id": 23, "segmentation": box(5, 0, 8, 3)}
EMPTY = {"category_id": 23, "segmentation": {"size": [HEIGHT, WIDTH], "counts": [48]}}


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("car_(automobile):wheel", PartName("car", "wheel")),
        ("lamp:shade_(light)", PartName("lamp", "shade")),
        ("trash_can", PartName("trash_can", None)),
        ("car_(automobile):door_handle", PartName("car", "door_handle")),
        ("potted plant:pot", PartName("potted plant", "pot")),
    ],
)
def test_names(category: str, name: PartName) -> None:
    assert part_name(category, "here") == name


@pytest.mark.parametrize("category", ["", "a:b:c", "a:", ":b", "_(x)", "a:[SEG]", " "])
def test_malformed_names(category: str) -> None:
    with pytest.raises(DatasetError, match="here"):
        part_name(category, "here")


def test_parts_are_asked_for_in_two_ways_evenly() -> None:
    rng = np.random.default_rng(0)
    phrases = Counter(PartName("car", "wheel").phrase(rng) for _ in range(400))
    assert phrases.keys() == {"car wheel", "the wheel of the car"}
    assert min(phrases.values()) > 160  # four standard deviations below one half


def test_each_annotation_is_a_mask_of_its_own(tmp_path: Path) -> None:
    second = {**WHEEL, "segmentation": box(4, 1, 7, 4)}
    write_paco(tmp_path, coco_index([WHEEL, second], CATEGORIES))
    dataset = open_paco(tmp_path)
    (sample,) = draws(dataset, 0, 1)
    assert sample.masks.shape == (2, HEIGHT, WIDTH)
    assert sample.masks.dtype == np.uint8
    assert {mask.tobytes() for mask in sample.masks} == {
        np.pad(np.ones((3, 3), np.uint8), ((1, 2), (left, WIDTH - 3 - left))).tobytes()
        for left in (1, 4)
    }
    assert all("wheel" in turn.question for (turn,) in sample.conversations)


def test_masks_and_questions_belong_together(tmp_path: Path) -> None:
    write_paco(tmp_path, coco_index([WHEEL, CAR, CAN], CATEGORIES))
    sums = {"wheel": 9, "trash_can": 9, "car": 12}
    for sample in draws(open_paco(tmp_path, max_questions=2), 0, 40):
        assert len(sample.masks) == len(sample.conversations) == 2
        for (turn,), mask in zip(sample.conversations, sample.masks, strict=True):
            name = next(name for name in sums if name in turn.question)
            assert mask.sum() == sums[name]
            assert (mask[:, 5:].any(), name == "trash_can") in {(True, True), (False, False)}


def test_the_article_is_not_doubled_unless_upstream_is_wanted(tmp_path: Path) -> None:
    write_paco(tmp_path, coco_index([WHEEL], CATEGORIES))

    def questions(upstream: bool) -> set[str]:
        dataset = open_paco(tmp_path, upstream_compat=upstream)
        return {s.conversations[0][0].question for s in draws(dataset, 0, 80)}

    doubled = {q for q in questions(True) if "the the" in q}
    assert doubled
    assert {q.replace("the the", "the") for q in questions(True)} == questions(False)


def test_images_without_annotations_are_left_out(tmp_path: Path) -> None:
    write_paco(tmp_path, coco_index([WHEEL, CAR], CATEGORIES))
    dataset = open_paco(tmp_path)
    assert len(dataset) == 1
    assert dataset.sample(0, np.random.default_rng(0)).image == tmp_path / "coco/train2017/a.jpg"
    assert dataset.counts() == {
        "images": 1, "masks": 2, "classes": 3, "images without annotations": 1,
    }  # fmt: skip
    assert list(dataset.problems()) == []


def test_masks_without_a_pixel_are_passed_over(tmp_path: Path) -> None:
    write_paco(tmp_path, coco_index([EMPTY, CAR, EMPTY], CATEGORIES))
    dataset = open_paco(tmp_path)
    assert all(sample.masks.shape[0] == 1 for sample in draws(dataset, 0, 10))
    assert len(warnings_of(dataset)) == 2
    (upstream,) = draws(open_paco(tmp_path, upstream_compat=True), 0, 1)
    assert len(upstream.masks) == 3


def test_an_image_of_empty_masks_has_nothing_to_ask(tmp_path: Path) -> None:
    write_paco(tmp_path, coco_index([EMPTY], CATEGORIES))
    with pytest.raises(NothingToAskError, match=r"a\.jpg"):
        open_paco(tmp_path).sample(0, np.random.default_rng(0))


def test_pascal_part_in_its_published_form(tmp_path: Path) -> None:
    body = stripes(0, 1, 1, 0)
    counts = pycoco.encode(np.asfortranarray(body))["counts"].decode()
    index = {
        "images": [{"id": 2008000002, "file_name": "2008_000002.jpg", "height": 6, "width": 8}],
        "categories": [
            {"id": 1, "name": "aeroplane:body", "abbr": "body"},
            {"id": 19, "name": "potted plant:pot"},
        ],
        "annotations": [
            {"id": 0, "image_id": 2008000002, "category_id": 1, "area": 99, "iscrowd": 0,
             "bbox": [2, 0, 3, 5], "segmentation": {"size": [6, 8], "counts": counts}},
        ],
    }  # fmt: skip
    root = tmp_path / "vlpart/pascal_part"
    image = write_image(root / "VOCdevkit/VOC2010/JPEGImages/2008_000002.jpg")
    (root / "train.json").write_text(json.dumps(index))
    sample = open_pascal_part(tmp_path).sample(0, np.random.default_rng(0))
    assert sample.image == image
    assert np.array_equal(sample.masks, body[None])


def changed(key: str, number: int, **values: object) -> dict:
    index = coco_index([dict(WHEEL)], CATEGORIES)
    index[key][number] = {**index[key][number], **values}
    return index


def without(key: str, number: int, name: str) -> dict:
    index = coco_index([dict(WHEEL)], CATEGORIES)
    del index[key][number][name]
    return index


MALFORMED = [
    [], {}, {"images": []}, coco_index([WHEEL], {}), coco_index([], CATEGORIES),
    coco_index([{"category_id": 2444}], CATEGORIES),
    changed("images", 1, height=0), changed("images", 1, width="8"), changed("images", 1, id=10),
    changed("images", 1, file_name="/a.jpg"), changed("images", 1, file_name="../a.jpg"),
    changed("images", 1, file_name=""), changed("annotations", 0, image_id=77),
    changed("annotations", 0, category_id=1), changed("categories", 0, name="a:b:c"),
    changed("categories", 0, id=23), without("images", 0, "height"),
    without("annotations", 0, "image_id"), without("categories", 0, "name"),
]  # fmt: skip


@pytest.mark.parametrize("index", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_index_is_named_at_once(tmp_path: Path, index: object) -> None:
    path = write_paco(tmp_path, index)
    with pytest.raises(DatasetError, match=path.name):
        open_paco(tmp_path)


def test_an_index_that_is_missing_or_cut(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="paco_lvis"):
        open_paco(tmp_path)
    path = write_paco(tmp_path, coco_index([WHEEL], CATEGORIES))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DatasetError, match="paco_lvis"):
        open_paco(tmp_path)


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [HEIGHT, WIDTH - 1], "counts": [42]},
        {"size": [HEIGHT, WIDTH], "counts": [6, 12]},
        {"size": [HEIGHT, WIDTH], "counts": "66"},
        [[1, 1, 2]],
        7,
    ],
)
def test_a_malformed_mask_is_found(tmp_path: Path, segmentation: object) -> None:
    wrong = {"category_id": 23, "segmentation": segmentation}
    path = write_paco(tmp_path, coco_index([CAR, wrong], CATEGORIES))
    dataset = open_paco(tmp_path)
    (error,) = errors_of(dataset)
    assert error.path == path
    assert "Annotation 1 " in error.message
    with pytest.raises(DatasetError, match="Annotation 1 "):
        dataset.sample(0, np.random.default_rng(0))


def test_an_image_that_is_missing_cut_or_of_another_size(tmp_path: Path) -> None:
    write_paco(tmp_path, coco_index([CAR], CATEGORIES))
    dataset, image = open_paco(tmp_path), tmp_path / "coco/train2017/a.jpg"
    image.write_bytes(image.read_bytes()[:-60])
    assert [problem.path for problem in errors_of(dataset)] == [image]
    write_image(image, HEIGHT, WIDTH + 1)
    assert [problem.path for problem in errors_of(dataset)] == [image]
    with pytest.raises(DatasetError, match=r"a\.jpg"):
        dataset.sample(0, np.random.default_rng(0))
    image.unlink()
    assert [problem.path for problem in errors_of(dataset)] == [image]
    with pytest.raises(DatasetError, match=r"a\.jpg"):
        dataset.sample(0, np.random.default_rng(0))


def test_a_size_that_no_image_has_is_not_decoded(tmp_path: Path) -> None:
    huge = changed("images", 1, height=10**6, width=10**6)
    write_paco(tmp_path, huge)
    dataset = open_paco(tmp_path)
    with pytest.raises(DatasetError, match=r"a\.jpg"):
        dataset.sample(0, np.random.default_rng(0))
    assert len(errors_of(dataset)) == 1
