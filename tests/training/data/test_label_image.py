"""Label images give exactly the stored numbers, or an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from semantic_tree import stripes, write_grey, write_palette

from lisa_ros.errors import DatasetError
from training.data.label_image import read_label_image, values_in


def test_grey_and_palette_are_read_alike(tmp_path: Path) -> None:
    label = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    grey = write_grey(tmp_path / "grey.png", label)
    palette = write_palette(tmp_path / "palette.png", label, [9, 9, 9] * 256)
    assert np.array_equal(read_label_image(grey), label)
    assert np.array_equal(read_label_image(palette), label)


def test_palettes_of_few_bits_keep_their_indices(tmp_path: Path) -> None:
    label = stripes(0, 1, 2, 3)
    path = write_palette(tmp_path / "small.png", label, [0, 0, 0, 250, 0, 0, 1, 1, 1, 7, 7, 7])
    assert path.read_bytes()[24] < 8, "Pillow stores few colours in few bits"
    assert np.array_equal(read_label_image(path), label)


def test_values() -> None:
    assert values_in(stripes(255, 0, 7, 7)) == [0, 7, 255]


def test_cut_anywhere_it_is_whole_or_an_error(tmp_path: Path) -> None:
    label = np.random.default_rng(0).integers(0, 256, (6, 8), dtype=np.uint8)
    content = write_grey(tmp_path / "whole.png", label).read_bytes()
    cut, refused = tmp_path / "cut.png", []
    for length in range(len(content)):
        cut.write_bytes(content[:length])
        try:
            assert np.array_equal(read_label_image(cut), label)
        except DatasetError as error:
            refused.append(str(error))
    assert len(refused) > len(content) // 2
    assert all("cut.png" in message for message in refused)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.png"):
        read_label_image(tmp_path / "none.png")
