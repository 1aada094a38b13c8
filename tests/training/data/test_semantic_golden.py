"""Golden G4: what upstream's readers made of the fabricated tree, for all five sets.

Upstream draws in another order, so what is compared is what can be drawn: questions and masks.
"""

from __future__ import annotations

import functools
import json
from collections import defaultdict

import numpy as np
import pytest
from semantic_tree import FIXTURES, draws

from training.data.ade20k import open_ade20k
from training.data.coco_stuff import open_coco_stuff
from training.data.mapillary import open_mapillary
from training.data.paco import open_paco
from training.data.pascal_part import open_pascal_part
from training.data.sample import ImageDataset

OPEN = {
    "ade20k": lambda: open_ade20k(FIXTURES),
    "cocostuff": lambda: open_coco_stuff(FIXTURES),
    "mapillary": lambda: open_mapillary(FIXTURES, upstream_compat=True),
    "paco_lvis": lambda: open_paco(FIXTURES, upstream_compat=True),
    "pascal_part": lambda: open_pascal_part(FIXTURES, upstream_compat=True),
}
GOLDEN = json.loads((FIXTURES / "golden_samples.json").read_text(encoding="utf-8"))
MASKS = np.load(FIXTURES / "golden_masks.npz")


@functools.cache
def opened(name: str) -> ImageDataset:
    return OPEN[name]()


@functools.cache
def drawable(name: str, image: str) -> dict[str, list[np.ndarray]]:
    """By question: the distinct masks u8[H,W] that some draw pairs with it."""
    found: dict[str, list[np.ndarray]] = defaultdict(list)
    for index in range(len(opened(name))):
        if opened(name).sample(index, np.random.default_rng(0)).image != FIXTURES / image:
            continue
        for sample in draws(opened(name), index, 150):
            for (turn,), mask in zip(sample.conversations, sample.masks, strict=True):
                if not any(np.array_equal(mask, known) for known in found[turn.question]):
                    found[turn.question].append(mask)
    return found


def test_every_set_has_golden_samples() -> None:
    assert {sample["dataset"].removeprefix("sem_seg/") for sample in GOLDEN} == OPEN.keys()
    assert len(GOLDEN) == 20


@pytest.mark.parametrize("golden", GOLDEN, ids=[sample["key"] for sample in GOLDEN])
def test_upstreams_samples_can_be_drawn(golden: dict) -> None:
    name = golden["dataset"].removeprefix("sem_seg/")
    ours = drawable(name, golden["image"])
    masks = MASKS[golden["key"].replace("/", "__")]
    assert len(masks) == len(golden["questions"])
    for question, mask in zip(golden["questions"], masks, strict=True):
        asked = question.removeprefix("<image>\n")
        assert asked in ours
        assert any(np.array_equal(mask, own) for own in ours[asked]), asked


# Upstream keeps no label image of the other two.
LABELLED = [g for g in GOLDEN if g["dataset"].split("/")[1] in ("ade20k", "cocostuff", "mapillary")]


@pytest.mark.parametrize("golden", LABELLED, ids=[sample["key"] for sample in LABELLED])
def test_no_more_classes_are_drawn_than_upstream_has(golden: dict) -> None:
    name = golden["dataset"].removeprefix("sem_seg/")
    ours = drawable(name, golden["image"])
    prefix = "Please segment the "
    classes = [question for question in ours if question.startswith(prefix)]
    assert len(classes) == len([v for v in golden["label_unique"] if v != 255])
    assert all(len(masks) == 1 for masks in ours.values())
