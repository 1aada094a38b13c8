"""From labelled polygons to one mask, by ReasonSeg's rule.

Source: the rule is that of upstream's annotation reader: shapes labelled "flag" do not count,
points are truncated to whole pixels, a polygon covers its outline and its inside, larger polygons
lie under smaller ones, and a label that contains "ignore" makes its pixels ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.polygon_pixels import polygon_window
from lisa_ros.types import UInt8Array

TARGET = 1
IGNORE = 255
# No image is that large, so a coordinate beyond it is a mistake.
MAX_COORDINATE_PX = 1_000_000
# No outline that somebody drew is that long; drawing one takes some hundred bytes a pixel.
MAX_OUTLINE_PX = 2**22


class LabelledPolygon(NamedTuple):
    """A closed polygon: points are (x, y) in px of the image, pixel centres at integers."""

    label: str
    points: Sequence[tuple[float, float]]

    @property
    def is_flag(self) -> bool:
        """Whether it is a remark about the image, which covers nothing."""
        return self.label.lower() == "flag"

    @property
    def is_ignore(self) -> bool:
        """Whether its pixels count neither as target nor as background."""
        return "ignore" in self.label.lower()


def polygon_mask(polygons: Iterable[LabelledPolygon], height: int, width: int) -> UInt8Array:
    """Draw u8[height,width]: 0 background, 1 target, 255 ignore. All targets share the 1.

    Raises:
        DatasetError: a polygon has no points, a coordinate that is no finite number within
            `MAX_COORDINATE_PX`, or an outline without end; names it by its place among `polygons`.

    """
    drawn = [
        (_whole_pixels(polygon, number, height, width), IGNORE if polygon.is_ignore else TARGET)
        for number, polygon in enumerate(polygons)
        if not polygon.is_flag
    ]
    # Pixels are found twice rather than kept: there may be thousands of polygons.
    areas = [int(polygon_window(pixels, height, width)[1].sum()) for pixels, _ in drawn]
    mask = np.zeros((height, width), np.uint8)
    # Of equal areas the first one given ends on top, as upstream's reversed sort has it.
    for index in np.argsort(areas, kind="stable")[::-1]:
        pixels, value = drawn[index]
        window, covered = polygon_window(pixels, height, width)
        mask[window][covered] = value
    return mask


def _whole_pixels(
    polygon: LabelledPolygon, number: int, height: int, width: int
) -> npt.NDArray[np.int64]:
    points = np.asarray(polygon.points, np.float64).reshape(-1, 2)
    if not len(points):
        raise DatasetError(
            f"Polygon {number} ({polygon.label!r}) has no points; expected 3 or more. Delete it or "
            "draw it again."
        )
    wrong = ~(np.abs(points) <= MAX_COORDINATE_PX).all(axis=1)  # True for NaN as well
    if wrong.any():
        point = int(np.argmax(wrong))
        raise DatasetError(
            f"Point {point} of polygon {number} ({polygon.label!r}) is {points[point].tolist()}; "
            f"expected finite numbers of at most {MAX_COORDINATE_PX} px. Draw it again."
        )
    pixels = np.trunc(points).astype(np.int64)
    length = int(np.minimum(np.abs(pixels - np.roll(pixels, 1, axis=0)), (width, height)).sum())
    if length > MAX_OUTLINE_PX:
        raise DatasetError(
            f"Polygon {number} ({polygon.label!r}) winds over {length} px of a {width}x{height} "
            f"image; expected at most {MAX_OUTLINE_PX}. Draw it again with fewer points."
        )
    return pixels
