"""COCO's two forms of a mask: polygons, and run lengths as numbers or packed into text.

Source: the format of cocodataset/cocoapi. Run lengths are decoded here, because pycocotools 2.0.11
does not notice runs that end early: it hands out a mask of uninitialised memory. It also warns of
its own use of numpy 2.
"""

from __future__ import annotations

import numpy as np
from pycocotools import mask as pycoco  # type: ignore[import-untyped]

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.polygon_mask import MAX_OUTLINE_PX
from lisa_ros.types import UInt8Array

_FIRST_CHARACTER = 48  # "0"; a character holds six bits: five of the number, and "goes on"
_PAYLOAD, _SIGN, _GOES_ON = 0x1F, 0x10, 0x20
_LONGEST_BITS = 40  # of a run in packed form; images have fewer than 2**32 pixels


def decode_segmentation(segmentation: object, height: int, width: int) -> UInt8Array:
    """Decode an annotation's mask, u8[H,W] of 0 and 1; it may be empty.

    Raises:
        DatasetError: malformed, or made for an image of another size; the caller knows the file.

    """
    if isinstance(segmentation, dict):
        return decode_run_lengths(segmentation, height, width)
    if isinstance(segmentation, list):
        return decode_polygons(segmentation, height, width)
    raise DatasetError(
        f"The segmentation is a {type(segmentation).__name__}; expected a list of polygons or an "
        "object with 'size' and 'counts'."
    )


def decode_polygons(polygons: list[object], height: int, width: int) -> UInt8Array:
    """Decode the union of polygons [x0, y0, x1, y1, ...] in px, u8[H,W].

    Raises:
        DatasetError: no polygon, fewer than three points, or coordinates that cannot be meant.

    """
    if not polygons:
        raise DatasetError("The segmentation is an empty list; expected polygons.")
    for number, polygon in enumerate(polygons):
        _check_polygon(polygon, f"Polygon {number} of the segmentation", height, width)
    union = pycoco.merge(pycoco.frPyObjects(polygons, height, width))
    return decode_run_lengths(union, height, width)


def _check_polygon(polygon: object, where: str, height: int, width: int) -> None:
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        got = f"{len(polygon)} numbers" if isinstance(polygon, list) else type(polygon).__name__
        raise DatasetError(f"{where} is {got}; expected x and y of three points or more.")
    limit = 2 * max(height, width)
    for value in polygon:
        if type(value) not in (int, float) or not abs(value) <= limit:  # not: NaN compares false
            raise DatasetError(
                f"{where} has the coordinate {value!r}, for an image of {width}x{height} px."
            )
    points = np.array(polygon, np.float64).reshape(-1, 2)
    length = float(np.abs(points - np.roll(points, 1, axis=0)).sum())
    if length > MAX_OUTLINE_PX:  # pycocotools asks for memory by it, and crashes without
        raise DatasetError(
            f"{where} winds over {length:.0f} px of an image of {width}x{height} px; expected at "
            f"most {MAX_OUTLINE_PX}."
        )


def decode_run_lengths(encoded: dict[str, object], height: int, width: int) -> UInt8Array:
    """Decode {"size": [H, W], "counts": list, str or bytes}, u8[H,W].

    Counts are lengths of alternating runs of 0 and 1, column by column, that begin with 0.

    Raises:
        DatasetError: another size, or runs that do not fill the image exactly.

    """
    size, counts = encoded.get("size"), encoded.get("counts")
    if size != [height, width]:
        raise DatasetError(
            f"The run lengths are for [height, width] {size!r}, the image has [{height}, {width}]."
        )
    if isinstance(counts, bytes):
        counts = counts.decode("ascii", errors="replace")
    runs = unpack_counts(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
        raise DatasetError("The run lengths' 'counts' must be text, or a list of integers >= 0.")
    if sum(runs) != height * width:
        raise DatasetError(
            f"The run lengths cover {sum(runs)} px, the image has {height * width}. "
            "Is the annotation cut off?"
        )
    values = np.arange(len(runs), dtype=np.int64) % 2
    columns = np.repeat(values.astype(np.uint8), runs).reshape(width, height)
    return np.ascontiguousarray(columns.T)


def unpack_counts(packed: str) -> list[int]:
    """Unpack run lengths: signed numbers of five bits a character, lowest first.

    From the fourth on a number is the difference to the run before the last.

    Raises:
        DatasetError: characters that the form does not have, or an end inside a number.

    """
    runs: list[int] = []
    value = bits = 0
    for character in packed:
        group = ord(character) - _FIRST_CHARACTER
        if not 0 <= group <= (_GOES_ON | _PAYLOAD) or bits >= _LONGEST_BITS:
            raise DatasetError(f"The packed run lengths are malformed at run {len(runs)}.")
        value |= (group & _PAYLOAD) << bits
        bits += 5
        if group & _GOES_ON:
            continue
        if group & _SIGN:
            value -= 1 << bits
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = bits = 0
    if bits:
        raise DatasetError(f"The packed run lengths end inside run {len(runs)}.")
    return runs
