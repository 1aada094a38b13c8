"""Images on disk: turned by EXIF or not, and cut off anywhere."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lisa_ros.errors import DatasetError
from training.data.image_file import (
    image_problems,
    image_size,
    orientation,
    read_image,
    upright_pixels,
)
from training.data.sample import Sample
from training.data.scannet import bounded_image

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["cut.png", "cut.jpg", "cut.ppm"])
def test_cut_anywhere_an_image_is_whole_or_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    Image.fromarray(PIXELS).save(path)
    content = path.read_bytes()
    for length in range(len(content) - 2):
        path.write_bytes(content[:length])
        for size_of, size in ((image_size, (6, 8)), (bounded_image.image_size, (8, 6))):
            with contextlib.suppress(DatasetError):
                assert size_of(path) == size
        for problem in image_problems(path, (6, 8)):
            assert (problem.severity, problem.path) == ("error", path)
    path.write_bytes(content)
    assert list(image_problems(path, (6, 8))) == []


@pytest.mark.parametrize("way", [0, 1, 2, 6, 8, 9])
def test_pictures_are_turned_as_exif_says_if_it_says_so(tmp_path: Path, way: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = way
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(path, exif=exif)
    assert image_size(path) == (6, 8)
    turned = {2: PIXELS[:, ::-1], 6: np.rot90(PIXELS, -1), 8: np.rot90(PIXELS)}
    upright = upright_pixels(path)
    if way in turned:
        assert orientation(path) == way
        np.testing.assert_array_equal(upright, turned[way])
    else:  # 0 and 9 mean nothing
        assert orientation(path) == 1
        assert upright is None


def test_a_broken_chunk_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(path)
    content = bytearray(path.read_bytes())
    at = content.index(b"IDAT")
    content[at : at + 4] = b"\xe8\xeaz\xf3"  # no letters, so no chunk
    path.write_bytes(content)
    sample = Sample("set", path, (), np.zeros((0, 6, 8), np.uint8))
    with pytest.raises(DatasetError, match=r"a\.png cannot be read as an image"):
        read_image(sample)
    (problem,) = image_problems(path)
    assert problem.severity == "error"
