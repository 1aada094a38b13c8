"""COCO's masks: equal to pycocotools where that is right, and errors where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp
from pycocotools import mask as pycoco
from semantic_tree import box

from lisa_ros.errors import DatasetError
from training.data.coco_masks import decode_segmentation, unpack_counts

MASKS = stnp.arrays(np.uint8, stnp.array_shapes(min_dims=2, max_dims=2, max_side=40),
                    elements=st.integers(0, 1))  # fmt: skip


def packed(mask: np.ndarray) -> dict:
    encoded = pycoco.encode(np.asfortranarray(mask))
    return {"size": list(mask.shape), "counts": encoded["counts"]}


def runs_of(mask: np.ndarray) -> list[int]:
    flat = np.concatenate([[0], mask.ravel(order="F")])
    changes = np.flatnonzero(np.diff(flat)).tolist()
    return np.diff([0, *changes, mask.size]).tolist()


@given(MASKS)
def test_run_lengths_in_all_their_forms(mask: np.ndarray) -> None:
    encoded = packed(mask)
    forms = (encoded["counts"], encoded["counts"].decode(), runs_of(mask))
    for counts in forms:
        decoded = decode_segmentation({**encoded, "counts": counts}, *mask.shape)
        assert decoded.dtype == np.uint8
        assert np.array_equal(decoded, mask)
    assert unpack_counts(encoded["counts"].decode()) == runs_of(mask)


def test_large_runs() -> None:
    mask = np.zeros((1500, 2000), np.uint8)
    mask[3:1400, 5:1999] = 1
    assert np.array_equal(decode_segmentation(packed(mask), 1500, 2000), mask)


def test_polygons_are_united() -> None:
    both = decode_segmentation([*box(1, 1, 5, 4), *box(3, 2, 7, 5)], 6, 8)
    one, other = (decode_segmentation(box(*b), 6, 8) for b in ((1, 1, 5, 4), (3, 2, 7, 5)))
    assert np.array_equal(both, one | other)
    assert one.sum() == 4 * 3
    assert both.max() == 1
    assert both.flags.c_contiguous


MALFORMED = [
    None, "abc", 3, [], [[]], [[0, 0, 3, 3]], [[0, 0, 3, 0, 3, 3, 1]], [[0, 0, 3, 0, 3, "3"]],
    [[0, 0, 3, 0, 3, float("nan")]], [[0, 0, 3, 0, 3, float("inf")]], [[0, 0, 3, 0, 3, 10**400]],
    [[0, 0, 3, 0, 3, 1e9]], [[0, 0, 3, 0, True, 3]], [{"size": [6, 8], "counts": [48]}],
    {}, {"size": [6, 8]}, {"counts": [48]}, {"size": [8, 6], "counts": [48]},
    {"size": [6, 8], "counts": [47]}, {"size": [6, 8], "counts": [49]},
    {"size": [6, 8], "counts": [50, -2]}, {"size": [6, 8], "counts": [48.0]},
    {"size": [6, 8], "counts": [10**30]}, {"size": [6, 8], "counts": []},
    {"size": [6, 8], "counts": ["48"]}, {"size": [6, 8], "counts": ""},
    {"size": [6, 8], "counts": "\x00"}, {"size": [6, 8], "counts": "é"},
    {"size": [6, 8], "counts": b"\xff\xfe"}, {"size": [6, 8], "counts": "o" * 100_000},
    {"size": [6, 8], "counts": "P"},
]  # fmt: skip


@pytest.mark.parametrize("segmentation", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed(segmentation: object) -> None:
    with pytest.raises(DatasetError):
        decode_segmentation(segmentation, 6, 8)


def test_a_polygon_without_end_is_refused_before_it_is_drawn() -> None:
    zigzag = [float(v) for x in range(10_000) for v in (x % 1000, 999 * (x % 2))]
    with pytest.raises(DatasetError, match=r"Polygon 1 of the segmentation winds over \d{7,} px"):
        decode_segmentation([*box(1, 1, 5, 4), zigzag], 1000, 1000)


@given(MASKS, st.data())
def test_cut_run_lengths_are_no_mask(mask: np.ndarray, data: st.DataObject) -> None:
    encoded = packed(mask)
    length = data.draw(st.integers(0, len(encoded["counts"]) - 1))
    with pytest.raises(DatasetError):
        decode_segmentation({**encoded, "counts": encoded["counts"][:length]}, *mask.shape)


@given(st.binary(max_size=30))
def test_any_bytes_are_a_mask_or_an_error(counts: bytes) -> None:
    try:
        mask = decode_segmentation({"size": [6, 8], "counts": counts}, 6, 8)
    except DatasetError:
        return
    assert mask.shape == (6, 8)
    assert mask.max() <= 1
