"""The cache of features: kept exactly, for one encoder, within bounds."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from random_lisa import noise_image

from lisa_ros.errors import ConfigurationError, DatasetError, ImageError
from training.feature_cache import (
    HEADER_NAME,
    Encoding,
    FeatureCache,
    Features,
    image_key,
    predicted_bytes,
    predicted_size,
)

ENCODING = Encoding("ab" * 32, "float32 on cpu", (8, 3, 3), (5, 7), torch.bfloat16)
KEYS = [image_key(noise_image(6, 8, seed)) for seed in range(4)]


def features(seed: int, encoding: Encoding = ENCODING) -> Features:
    generator = torch.Generator().manual_seed(seed)
    shapes = (encoding.sam_shape, encoding.clip_shape)
    sam, clip = (torch.randn(shape, generator=generator).to(encoding.dtype) for shape in shapes)
    return Features(sam, clip)


def open_cache(
    folder: Path, encoding: Encoding = ENCODING, max_bytes: int = 10**6, n_images: int = 4
) -> FeatureCache:
    return FeatureCache(folder, encoding, max_bytes=max_bytes, n_images=n_images)


def holds(cache: FeatureCache, number: int) -> bool:
    """Whether features are there; what is there must be right, bit for bit."""
    found = cache.get(KEYS[number])
    if found is None:
        return False
    for ours, expected in zip(found, features(number, cache.encoding), strict=True):
        assert ours.dtype == expected.dtype
        assert torch.equal(ours, expected)
    return True


def files_bytes(folder: Path) -> int:
    paths = (path for path in folder.rglob("*") if path.suffix in (".data", ".index"))
    return sum(path.stat().st_size for path in paths)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_features_come_back_bit_for_bit_in_every_dtype(tmp_path: Path, dtype: torch.dtype) -> None:
    encoding = dataclasses.replace(ENCODING, dtype=dtype)
    cache = open_cache(tmp_path, encoding)
    for number in (0, 1):
        cache.store(KEYS[number], features(number, encoding))
    for opened in (cache, open_cache(tmp_path, encoding)):
        assert len(opened) == 2
        assert [holds(opened, number) for number in range(3)] == [True, True, False]


def test_features_with_other_strides_are_stored_in_order(tmp_path: Path) -> None:
    cache, (sam, clip) = open_cache(tmp_path), features(0)
    turned = sam.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert not turned.is_contiguous()
    cache.store(KEYS[0], Features(turned, clip.t().contiguous().t()))
    assert holds(cache, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "cd" * 32},
        {"dtype": torch.float16},
        {"weights": "float32 on cuda"},
        {"sam_shape": (8, 9, 1)},
    ],
)
def test_another_encoder_never_sees_these_features(tmp_path: Path, change: dict) -> None:
    cache, other = open_cache(tmp_path), dataclasses.replace(ENCODING, **change)
    cache.store(KEYS[0], features(0))
    second = open_cache(tmp_path, other)
    assert second.folder != cache.folder
    assert not holds(second, 0)
    second.store(KEYS[0], features(0, other))
    assert holds(second, 0)
    assert holds(open_cache(tmp_path), 0)
    header = json.loads((second.folder / HEADER_NAME).read_text())
    assert header == other.header()


def test_an_image_is_known_by_its_pixels_and_its_shape() -> None:
    image = noise_image(6, 8)
    changed = image.copy()
    changed[5, 7, 2] ^= 1
    keys = [image_key(i) for i in (image, changed, image.reshape(8, 6, 3), image.reshape(4, 12, 3))]
    assert len(set(keys)) == 4
    assert image_key(np.asfortranarray(image)) == keys[0]
    with pytest.raises(ImageError, match="float32"):
        image_key(image.astype(np.float32))


def test_the_prediction_is_what_is_written(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    for number in range(3):
        cache.store(KEYS[number], features(number))
    assert files_bytes(tmp_path) == predicted_bytes(ENCODING, 3)


def test_a_lab_set_takes_a_tenth_of_a_gigabyte() -> None:
    paper = dataclasses.replace(ENCODING, sam_shape=(256, 64, 64), clip_shape=(256, 1024))
    expected = "SAM and CLIP features of 50 images: 0.1 GB (2.6 MB an image)."
    assert predicted_size(paper, 50) == expected


def test_a_full_cache_stops_storing_says_so_once_and_can_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limit = predicted_bytes(ENCODING, 3) - 1
    cache = open_cache(tmp_path, max_bytes=limit)
    with caplog.at_level(logging.WARNING):
        for number in range(4):
            cache.store(KEYS[number], features(number))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(tmp_path) in caplog.text
    assert files_bytes(tmp_path) == predicted_bytes(ENCODING, 2)
    assert [holds(cache, number) for number in range(4)] == [True, True, False, False]
    larger = open_cache(tmp_path)
    larger.store(KEYS[3], features(3))
    assert [holds(larger, number) for number in range(4)] == [True, True, False, True]


def test_the_bound_counts_other_encoders_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = open_cache(tmp_path)
    first.store(KEYS[0], features(0))
    other = dataclasses.replace(ENCODING, digest="cd" * 32)
    second = open_cache(tmp_path, other, max_bytes=predicted_bytes(ENCODING, 1))
    second.store(KEYS[0], features(0))
    assert len(second) == 0
    assert "no longer used" in caplog.text


def test_too_little_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 10**9 + predicted_bytes(ENCODING, 2)
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        DatasetError, match=rf"{free} bytes are free.*{predicted_bytes(ENCODING, 3)}"
    ):
        open_cache(tmp_path, n_images=3)
    open_cache(tmp_path, n_images=3, max_bytes=predicted_bytes(ENCODING, 2))  # takes no more
    cache = open_cache(tmp_path, n_images=2)
    cache.store(KEYS[0], features(0))
    assert len(open_cache(tmp_path, n_images=3)) == 1  # there is room for the two that are missing


def test_a_disk_that_fills_up_stops_the_cache_and_not_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache = open_cache(tmp_path)
    cache.store(KEYS[0], features(0))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    cache.store(KEYS[1], features(1))
    cache.store(KEYS[2], features(2))
    assert [holds(cache, number) for number in range(3)] == [True, False, False]
    assert len(caplog.records) == 1
    assert "No space left" in caplog.text


def test_a_header_that_was_not_finished_does_not_matter(tmp_path: Path) -> None:
    folder = open_cache(tmp_path).folder
    content = (folder / HEADER_NAME).read_text()
    (folder / HEADER_NAME).rename(folder / f".{HEADER_NAME}.0123")
    (folder / f".{HEADER_NAME}.0123").write_text(content[:10])
    cache = open_cache(tmp_path)
    assert (cache.folder / HEADER_NAME).read_text() == content
    cache.store(KEYS[0], features(0))
    assert holds(cache, 0)


@pytest.mark.parametrize("damage", ["", "{}", '{"format": 1'])
def test_a_damaged_header_is_an_error_that_says_what_to_remove(tmp_path: Path, damage: str) -> None:
    path = open_cache(tmp_path).folder / HEADER_NAME
    path.write_text(damage)
    with pytest.raises(DatasetError, match=r"encoder\.json"):
        open_cache(tmp_path)


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "features").touch()
    with pytest.raises(DatasetError, match="another folder"):
        open_cache(tmp_path / "features")


def test_a_folder_that_vanishes_is_an_error(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "features")
    shutil.rmtree(tmp_path / "features")
    with pytest.raises(DatasetError, match="alone"):
        cache.get(KEYS[0])


def test_a_bound_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="0 bytes"):
        open_cache(tmp_path, max_bytes=0)


def test_features_of_another_kind_are_refused(tmp_path: Path) -> None:
    cache, (sam, clip) = open_cache(tmp_path), features(0)
    with pytest.raises(ConfigurationError, match="float32"):
        cache.store(KEYS[0], Features(sam.float(), clip))
    with pytest.raises(ConfigurationError, match=r"\(6, 7\)"):
        cache.store(KEYS[0], Features(sam, torch.zeros(6, 7, dtype=torch.bfloat16)))
