"""Images on disk that are cut off give an error of ours, wherever they end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lisa_ros.errors import DatasetError
from training.data.image_file import image_problems, image_size
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
            try:
                assert size_of(path) == size
            except DatasetError as error:
                assert name in str(error)
        for problem in image_problems(path, (6, 8)):
            assert (problem.severity, problem.path) == ("error", path)
    path.write_bytes(content)
    assert list(image_problems(path, (6, 8))) == []
