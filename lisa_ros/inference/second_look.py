"""Look again, closer, where nothing was found.

Small things vanish in the few hundred pixels that a model sees of an image, and things at the edge
are cut off by some views. So the tiles are looked at, then parts of them, the more promising ones
first. Every further look is a further chance to find what is not there: what is found in a part
must be found again, at the same place, in a close-up of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any

import numpy as np

from lisa_ros.inference.close_up import MIN_SIDE_PX, ask_about_part, close_up_box
from lisa_ros.inference.segmenter import Segmenter
from lisa_ros.model.views import pieces
from lisa_ros.types import BoolArray, PixelBox, Segmentation, UInt8Array

# Of the side of what they are parts of: neighbours share a third, so that what lies across the edge
# of one is whole in another, if it is no longer than that.
_ZOOM = 0.6
# IoU of two parts that show the same.
_ALIKE_IOU = 0.8
# IoU of what a part and its close-up mark: the outline of a small thing is not the same in both.
_SAME_IOU = 0.3


def look_again(
    segmenter: Segmenter,
    image: UInt8Array,
    instruction: str,
    first: Segmentation,
    *,
    max_looks: int,
    **options: Any,
) -> Segmentation:
    """Return what closer looks find, or the first answer if they find nothing either.

    image: u8[H,W,3]. first: the answer about it, which found nothing. max_looks: how many parts are
    encoded and asked about at most, close-ups included; below 2 there is none to search and one to
    confirm. options: those of `Segmenter.segment`; should_stop is polled as there. The answer's
    `seen` lists everything that was looked at, in order, the close-up that it comes from last; its
    timings_ms are those of all looks.

    Raises what `Segmenter.segment` raises.
    """
    looks = [first]
    unseen = _Parts(image.shape[0], image.shape[1], first)
    for box in unseen:
        if len(looks) + 1 > max_looks:
            break
        found = ask_about_part(segmenter, image, box, instruction, **options)
        looks.append(found)
        if is_found(found):
            close_up = close_up_box(_marked(found))
            looks.append(ask_about_part(segmenter, image, close_up, instruction, **options))
            if is_found(looks[-1]) and _agree(found, looks[-1]):
                return _after(looks, looks[-1])
        unseen.add_parts_of(box, found.seg_probability)
    return _after(looks, first)


def is_found(answer: Segmentation) -> bool:
    """Whether the model accepted and marked something."""
    return answer.found and bool(answer.masks.any())


class _Parts:
    """The parts of an image that nobody has looked at yet: tiles, then ever smaller squares.

    Of equally small ones those come first whose whole seemed the most likely to hold the target.
    """

    def __init__(self, height: int, width: int, first: Segmentation) -> None:
        self._heap: list[tuple[int, float, int, PixelBox]] = []
        self._added = 0
        self._seen = list(first.seen)
        for tile in pieces(height, width, "tiles"):
            if self._is_known(tile):
                self.add_parts_of(tile, first.seg_probability)
            else:
                self._add(tile, first.seg_probability)

    def __iter__(self) -> Iterator[PixelBox]:
        while self._heap:
            box = heappop(self._heap)[-1]
            if not self._is_known(box):
                self._seen.append(box)
                yield box

    def add_parts_of(self, box: PixelBox, seg_probability: float) -> None:
        """Add the four corners of a part that was looked at, unless they are too small."""
        width, height = round(_ZOOM * box.width), round(_ZOOM * box.height)
        if min(width, height) < MIN_SIDE_PX:
            return
        for left in (box.left, box.right - width):
            for top in (box.top, box.bottom - height):
                self._add(PixelBox(left, top, left + width, top + height), seg_probability)

    def _is_known(self, box: PixelBox) -> bool:
        return any(_iou_of_boxes(box, seen) >= _ALIKE_IOU for seen in self._seen)

    def _add(self, box: PixelBox, seg_probability: float) -> None:
        self._added += 1
        heappush(self._heap, (-box.width * box.height, -seg_probability, self._added, box))


def _iou_of_boxes(a: PixelBox, b: PixelBox) -> float:
    width = max(0, min(a.right, b.right) - max(a.left, b.left))
    height = max(0, min(a.bottom, b.bottom) - max(a.top, b.top))
    return width * height / (a.width * a.height + b.width * b.height - width * height)


def _marked(answer: Segmentation) -> BoolArray:
    marked: BoolArray = np.logical_or.reduce(answer.masks, axis=0)
    return marked


def _agree(a: Segmentation, b: Segmentation) -> bool:
    one, other = _marked(a), _marked(b)
    return bool(np.sum(one & other) >= _SAME_IOU * np.sum(one | other))


def _after(looks: list[Segmentation], answer: Segmentation) -> Segmentation:
    timings_ms: dict[str, float] = {}
    for stage, milliseconds in (item for look in looks for item in look.timings_ms.items()):
        timings_ms[stage] = timings_ms.get(stage, 0.0) + milliseconds
    seen = tuple(box for look in looks for box in look.seen)
    return dataclasses.replace(answer, seen=seen, timings_ms=timings_ms)
