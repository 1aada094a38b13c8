"""lift_mask on a real Kinect frame, against points found by another method (data/README.md)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lisa_ros.geometry import depth_to_metres, lift_mask
from lisa_ros.types import Intrinsics, Target3D

DATA = Path(__file__).parent / "data"
DESK = json.loads((DATA / "desk_targets.json").read_text())


@pytest.mark.parametrize("entry", DESK["objects"], ids=lambda entry: entry["name"])
def test_objects_on_a_real_desk_within_two_centimetres(entry: dict) -> None:
    intrinsics = Intrinsics(**DESK["intrinsics"])
    with Image.open(DATA / "desk_depth.png") as png:
        depth_m = depth_to_metres(np.asarray(png).astype(np.uint16), unit_m=DESK["depth_unit_m"])
    canvas = Image.new("1", (intrinsics.width, intrinsics.height))
    ImageDraw.Draw(canvas).polygon([tuple(p) for p in entry["polygon_uv"]], fill=1)
    target = lift_mask(np.asarray(canvas), depth_m, intrinsics)
    assert isinstance(target, Target3D)
    assert np.linalg.norm(target.position - entry["point_camera_m"]) < 0.02
    assert target.depth_coverage > 0.95
    assert target.normal[2] < 0
    assert np.all(target.extent < 0.3)  # each fits in a hand, whatever is behind it


def test_colour_and_depth_are_one_frame() -> None:
    with Image.open(DATA / "desk_color.png") as color, Image.open(DATA / "desk_depth.png") as depth:
        assert color.size == depth.size == (640, 480)
        assert color.mode == "RGB"
