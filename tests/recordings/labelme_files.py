"""A folder of labelme's files, and what it becomes when it is imported."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lisa_ros.recordings.dataset_folder import About, open_dataset
from lisa_ros.recordings.labelme_import import import_labelme, plan_import
from lisa_ros.recordings.polygon_mask import LabelledPolygon, polygon_mask
from lisa_ros.recordings.sample import read_annotation
from lisa_ros.recordings.validation import folder_findings
from lisa_ros.types import BoolArray

HEIGHT, WIDTH = 60, 80
TRIANGLE = [[10.0, 10.0], [40.5, 12.0], [20.0, 35.9]]
SQUARE = [[50.0, 5.0], [70.0, 5.0], [70.0, 20.0], [50.0, 20.0]]


def picture(shade: int = 100) -> Image.Image:
    pixels = np.full((HEIGHT, WIDTH, 3), shade, np.uint8)
    pixels[:, :40, 0] = 220
    return Image.fromarray(pixels)


def png(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def shape(label: str, points: list[list[float]], kind: str = "polygon", **more: Any) -> dict:
    drawn = {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}}
    return {**drawn, "description": "", **more}


def write(folder: Path, name: str, *shapes: dict, shade: int = 100, **more: Any) -> Path:
    """A file as labelme 5 writes it, and its image beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    picture(shade).save(folder / f"{name}.jpg", quality=95)
    content = {
        "version": "5.4.1",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": f"{name}.jpg",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
        **more,
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def imported(folder: Path, out: Path, **options: Any) -> dict[str, dict[str, BoolArray]]:
    """Import, check the result, and return what each sample is asked, with its mask."""
    plan = plan_import(folder, **options)
    assert [f for f in plan.findings if f.severity == "error"] == []
    import_labelme(plan, out, About("mine", "1", "CC0-1.0"), reserve_bytes=0)
    dataset = open_dataset(out)
    wrong = [f for f in folder_findings(dataset) if "same picture" not in f.message]
    assert wrong == []
    asked = {}
    for stem in dataset.stored_stems():
        annotation = read_annotation(dataset, stem)
        asked[stem] = {
            text: annotation.mask(query) for query in annotation.asked for text in query.texts
        }
    return asked


def drawn(*polygons: list[list[float]]) -> BoolArray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for polygon in polygons:
        mask |= polygon_mask([LabelledPolygon("", [(x, y) for x, y in polygon])], HEIGHT, WIDTH) > 0
    return mask


def only(asked: dict[str, dict[str, BoolArray]]) -> dict[str, BoolArray]:
    (sample,) = asked.values()
    return sample
