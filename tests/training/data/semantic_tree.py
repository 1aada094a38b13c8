"""Builds tiny trees of the semantic-segmentation and part sets, in the form they have on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.sample import ImageDataset, Problem, Sample

FIXTURES = Path(__file__).parent / "fixtures" / "semantic"
HEIGHT, WIDTH = 6, 8


def write_image(path: Path, height: int = HEIGHT, width: int = WIDTH) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (90, 120, 30)).save(path)
    return path


def write_grey(path: Path, label: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(label.astype(np.uint8)).save(path)
    return path


def write_palette(path: Path, label: np.ndarray, colours: list[int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(label.astype(np.uint8)).convert("L")
    image.putpalette(colours)
    assert image.mode == "P"
    image.save(path)
    return path


def stripes(*values: int) -> np.ndarray:
    """u8[6,8] whose columns repeat the values from left to right."""
    row = np.array([values[x * len(values) // WIDTH] for x in range(WIDTH)], np.uint8)
    return np.tile(row, (HEIGHT, 1))


def coco_index(annotations: list[dict], categories: dict[int, str]) -> dict:
    """An index of one image, id 9, and one without annotations, id 10."""
    images = [
        {"id": key, "file_name": name, "height": HEIGHT, "width": WIDTH}
        for key, name in [(10, "train2017/b.jpg"), (9, "train2017/a.jpg")]
    ]
    named = [{"id": key, "name": name} for key, name in categories.items()]
    numbered = [{"id": n, "image_id": 9, **each} for n, each in enumerate(annotations)]
    return {"images": images, "categories": named, "annotations": numbered}


def write_paco(root: Path, index: object) -> Path:
    path = root / "vlpart" / "paco" / "annotations" / "paco_lvis_v1_train.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(index), encoding="utf-8")
    write_image(root / "coco" / "train2017" / "a.jpg")
    return path


def box(x0: int, y0: int, x1: int, y1: int) -> list[list[int]]:
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]


def draws(dataset: ImageDataset, index: int, count: int) -> list[Sample]:
    return [dataset.sample(index, np.random.default_rng(seed)) for seed in range(count)]


def errors_of(dataset: ImageDataset) -> list[Problem]:
    return [problem for problem in dataset.problems() if problem.severity == "error"]


def warnings_of(dataset: ImageDataset) -> list[Problem]:
    return [problem for problem in dataset.problems() if problem.severity == "warning"]
