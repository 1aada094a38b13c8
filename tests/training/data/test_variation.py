"""Varied images: what is asked for stays whole, and light changes no colour into another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab_recordings import write_lab_dataset

from lisa_ros.errors import ConfigurationError
from training.data.lab import LabDataset
from training.data.sample import Sample, Taught, Turn
from training.data.variation import Variation, Varied

HEIGHT, WIDTH = 24, 40
ASKED = ((Turn("Where is it?", "[SEG]."),), (Turn("And the other?", "[SEG]."),))


class OneImage:
    """A dataset of one image, whose pixels tell where they come from."""

    name = "one"

    def __init__(self, masks: np.ndarray, taught: Taught | None = None) -> None:
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        pixels = np.stack([rows, columns, rows], -1).astype(np.uint8)
        self.whole = Sample("one", Path("one.png"), ASKED, masks, pixels, taught)

    def __len__(self) -> int:
        return 1

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        return self.whole


def masks_of(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    masks = np.zeros((len(boxes), HEIGHT, WIDTH), np.uint8)
    for mask, (top, bottom, left, right) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = 1
    return masks


spans = st.tuples(st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1)).flatmap(
    lambda corner: st.tuples(
        st.just(corner[0]),
        st.integers(corner[0] + 1, HEIGHT),
        st.just(corner[1]),
        st.integers(corner[1] + 1, WIDTH),
    )
)


@given(spans, spans, st.floats(0.1, 0.99), st.integers(0, 1000))
def test_all_targets_are_whole_in_a_part_that_is_large_enough(
    one: tuple[int, int, int, int], other: tuple[int, int, int, int], smallest: float, seed: int
) -> None:
    dataset = OneImage(masks_of(one, other))
    part = Varied(dataset, Variation(smallest)).sample(0, np.random.default_rng(seed))
    height, width = part.masks.shape[1:]
    assert height >= round(HEIGHT * smallest)
    assert width >= round(WIDTH * smallest)
    top, left = int(part.pixels[0, 0, 0]), int(part.pixels[0, 0, 1])
    box = slice(top, top + height), slice(left, left + width)
    np.testing.assert_array_equal(part.pixels, dataset.whole.pixels[box])
    np.testing.assert_array_equal(part.masks, dataset.whole.masks[:, *box])
    assert part.masks.sum() == dataset.whole.masks.sum()
    assert part.conversations == ASKED


def test_parts_differ_and_keep_the_shape_of_the_image() -> None:
    varied, rng = (
        Varied(OneImage(masks_of((10, 12, 20, 22))), Variation(0.5)),
        np.random.default_rng(0),
    )
    parts = [varied.sample(0, rng) for _ in range(50)]
    shapes = [part.masks.shape[1:] for part in parts]
    assert len(set(shapes)) > 10
    assert len({part.pixels[0, 0].tobytes() for part in parts}) > 20
    for height, width in shapes:
        assert width / height == pytest.approx(WIDTH / HEIGHT, rel=0.06)


def test_what_has_no_mask_stays_whole() -> None:
    for masks in (masks_of(), masks_of((0, 0, 0, 0))):
        dataset = OneImage(masks)
        seen = Varied(dataset, Variation(0.1)).sample(0, np.random.default_rng(0))
        np.testing.assert_array_equal(seen.pixels, dataset.whole.pixels)
        np.testing.assert_array_equal(seen.masks, masks)


def test_a_head_is_not_taught_of_parts() -> None:
    taught = Taught(np.zeros((1, 3), np.int64), np.zeros((3, HEIGHT, WIDTH), np.int64))
    dataset = OneImage(masks_of((1, 2, 3, 4)), taught)
    with pytest.raises(ConfigurationError, match="leave out one"):
        Varied(dataset, Variation(0.5)).sample(0, np.random.default_rng(0))


def test_light_changes_and_colours_keep_their_order() -> None:
    dataset = OneImage(masks_of((1, 2, 3, 4)))
    dataset.whole.pixels[:] = (180, 60, 20)
    light = Varied(dataset, Variation(light=0.35))
    seen = [light.sample(0, np.random.default_rng(n)) for n in range(20)]
    colors = np.array([sample.pixels[0, 0] for sample in seen], int)
    assert len(np.unique(colors, axis=0)) > 15
    assert (colors[:, 0] > colors[:, 1]).all()
    assert (colors[:, 1] > colors[:, 2]).all()
    for sample in seen:
        np.testing.assert_array_equal(sample.masks, dataset.whole.masks)


def test_image_files_are_read(tmp_path: Path) -> None:
    write_lab_dataset(tmp_path / "kitchen")
    lab = LabDataset(tmp_path / "kitchen")
    varied = Varied(lab, Variation(0.3))
    assert (len(varied), varied.counts()) == (len(lab), lab.counts())
    # A run may keep the features of the one and not of the other.
    assert varied.sample(0, np.random.default_rng(0)).dataset == varied.name != lab.name
    assert list(varied.problems()) == list(lab.problems())
    sizes = {varied.sample(0, np.random.default_rng(n)).pixels.shape for n in range(20)}
    assert len(sizes) > 1
