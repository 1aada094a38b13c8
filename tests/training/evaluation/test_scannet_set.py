"""ScanNet's frames as an evaluation set: both trees, and targets on the depth camera's pixels."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lisa_ros.errors import ConfigurationError, DatasetError
from training.data.registry import open_dataset
from training.data.scannet.dataset import ScanNetDataset
from training.data.scannet.targets import FrameTarget, lift_color_mask
from training.evaluation.opening import open_sets
from training.evaluation.scannet_set import open_scannet_set
from training.evaluation.target_error import target_error_m

FIXTURES = Path(__file__).parents[1] / "data" / "fixtures"


@pytest.mark.parametrize("kind", ["scannet", "scannet_25k"])
def test_everything_in_a_frame_is_asked_in_the_published_form(kind: str) -> None:
    (opened,) = open_sets(FIXTURES, [f"{kind}|train"], [], "val")
    assert opened.name == f"{kind}|train|instance"
    image = opened.image(0)
    assert image.name == "scene9000_00/000000"
    assert len(image.questions) >= 2
    for asked in image.questions:
        assert asked.text.startswith("What is ")
        assert asked.text.endswith("Please output segmentation mask.")
        assert (asked.form, asked.source) == ("short", "scene9000_00")
        assert asked.truth.shape == image.pixels.shape[:2]
        assert asked.present
    with pytest.raises(IndexError):
        opened.image(len(opened))


def test_targets_are_as_far_apart_as_the_things_are() -> None:
    opened = open_scannet_set(FIXTURES, "scannet|train")
    assert isinstance(opened.dataset, ScanNetDataset)
    image, view = opened.image(0), opened.dataset.sources[0].depth_view(0)
    assert image.depth is not None
    # Colour and depth have other sizes, as in released scans.
    assert image.depth.measured_m.shape != image.pixels.shape[:2]
    one, other = (asked.target for asked in image.questions[:2])
    assert target_error_m(one, one, image.depth) == 0.0
    lifted = [lift_color_mask(mask, view) for mask in (one, other)]
    first, second = (target.camera.position for target in lifted if isinstance(target, FrameTarget))
    expected = float(np.linalg.norm(first - second))
    assert expected > 0.1
    assert target_error_m(other, one, image.depth) == pytest.approx(expected)
    assert target_error_m(np.zeros_like(one), one, image.depth) == float("inf")


def test_names_of_nothing_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no set of ScanNet"):
        open_scannet_set(FIXTURES, "scannet|training")
    with pytest.raises(DatasetError, match="not a single frame"):
        open_scannet_set(FIXTURES, "scannet|val")


def test_what_is_evaluated_on_does_not_depend_on_which_other_sets_are_on_disk(
    tmp_path: Path,
) -> None:
    """ReasonSeg's val and test show scans that are not to be trained on, and those alone."""
    shutil.copytree(FIXTURES / "scannet", tmp_path / "scannet")
    for split in ("train", "val"):
        (tmp_path / "scannet" / f"scannetv2_{split}.txt").write_text("scene9000_00\n")
    for kind in ("scannet", "scannet_25k"):
        alone = len(open_scannet_set(tmp_path, f"{kind}|val"))
        shown = tmp_path / "reason_seg" / "ReasonSeg" / "val"
        shown.mkdir(parents=True)
        (shown / "scene9000_00_1.jpg").touch()
        assert len(open_scannet_set(tmp_path, f"{kind}|val")) == alone > 0
        with pytest.raises(DatasetError, match="not a single frame"):
            open_dataset(kind, tmp_path, "train")
        shutil.rmtree(tmp_path / "reason_seg")
