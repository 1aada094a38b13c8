"""Ask about a part of an image at the camera's full resolution, and put the answer in its place.

A model sees an image at the few hundred pixels of its input, whatever the camera gives. A part that
is cut out first keeps more of them.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lisa_ros.errors import MaskError
from lisa_ros.inference.segmenter import Segmenter
from lisa_ros.types import BoolArray, Float32Array, PixelBox, Segmentation, UInt8Array

# How much longer a close-up is than what it shows: a part needs the whole that it belongs to.
_CONTEXT = 2.0
# Smaller close-ups show nothing but interpolated pixels.
MIN_SIDE_PX = 64


def close_up_box(mask: BoolArray) -> PixelBox:
    """Return a square around a mask bool[H,W], twice as long as it, moved and cut to the image.

    Raises MaskError when the mask is empty.
    """
    height, width = mask.shape
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        raise MaskError("An empty mask has no close-up; ask for one only of what was found.")
    longest = max(columns[-1] - columns[0], rows[-1] - rows[0]) + 1
    side = max(MIN_SIDE_PX, int(np.ceil(_CONTEXT * longest)))
    left, right = _span(int(columns[0] + columns[-1] + 1), side, width)
    top, bottom = _span(int(rows[0] + rows[-1] + 1), side, height)
    return PixelBox(left, top, right, bottom)


def ask_about_part(
    segmenter: Segmenter, image: UInt8Array, box: PixelBox, instruction: str, **options: Any
) -> Segmentation:
    """Ask about a part of u8[H,W,3] as if it were the image; the answer is about the whole.

    options: those of `Segmenter.segment`, whose errors this raises. Its masks bool[S,H,W] lie in
    the box. It is not calibrated: nobody has measured how a model does on parts of images.
    """
    answer = segmenter.segment(_cut(image, box), instruction, **options)
    masks = _in_place(answer.masks, box, image)
    seen = tuple(
        PixelBox(
            box.left + each.left, box.top + each.top, box.left + each.right, box.top + each.bottom
        )
        for each in answer.seen
    )
    return dataclasses.replace(
        answer, masks=masks, calibrated=False, confidence=None, seen=seen, decoded_in=box
    )


def decode_part(
    segmenter: Segmenter, image: UInt8Array, box: PixelBox, seg_embeddings: Float32Array
) -> tuple[BoolArray, Float32Array]:
    """Decode embeddings f32[S,D] of an answer about such a part on a part of u8[H,W,3].

    Returns masks bool[S,H,W] of the whole image, which lie in the box, and scores f32[S]. Raises
    what `Segmenter.decode` raises.
    """
    masks, scores = segmenter.decode(_cut(image, box), seg_embeddings)
    return _in_place(masks, box, image), scores


def refine(
    segmenter: Segmenter, image: UInt8Array, mask: BoolArray, question: str, **options: Any
) -> Segmentation:
    """Ask a second question about a close-up of what a first one found: "which part to hold?".

    image: u8[H,W,3]. mask: bool[H,W], of what was found. The answer is about the whole image; its
    masks may go beyond the first, which was made from fewer pixels. The close-up itself says what
    is meant, so that no earlier turn is needed. Raises MaskError for an empty mask; see
    `ask_about_part`.
    """
    return ask_about_part(segmenter, image, close_up_box(mask), question, **options)


def _cut(image: UInt8Array, box: PixelBox) -> UInt8Array:
    return np.ascontiguousarray(image[box.top : box.bottom, box.left : box.right])


def _in_place(masks: BoolArray, box: PixelBox, image: UInt8Array) -> BoolArray:
    whole = np.zeros((len(masks), *image.shape[:2]), dtype=np.bool_)
    whole[:, box.top : box.bottom, box.left : box.right] = masks
    return whole


def _span(twice_the_middle: int, length: int, limit: int) -> tuple[int, int]:
    """Return start and end of a stretch of 0..limit, as near to its middle as it fits."""
    length = min(length, limit)
    start = min(max((twice_the_middle - length) // 2, 0), limit - length)
    return start, start + length
