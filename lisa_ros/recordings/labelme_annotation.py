"""From shapes drawn in labelme to questions: what is asked, and which shapes answer it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.annotation import IGNORE_LABEL, TARGET_LABEL, Annotation, Query, Shape
from lisa_ros.recordings.labelme_file import DrawnShape, LabelmeFile
from lisa_ros.recordings.mask_outline import Outline, mask_outlines
from lisa_ros.recordings.polygon_mask import TARGET, LabelledPolygon, polygon_mask
from lisa_ros.types import BoolArray

# A checked flag of the image, "absent: coffee mug", asks for what is not in it.
ABSENT_FLAG = "absent:"
_SENTENCE_ENDS = (".", "?", "!")
_STRAY_PX = 0.25  # by how much a polygon may lie inside the circle that it stands for


def annotate_shapes(
    file: LabelmeFile, image_name: str, size: tuple[int, int]
) -> tuple[Annotation | None, list[str]]:
    """The annotation of an image of size (H, W); None if nothing can be asked. And what is wrong.

    Each label is a question, "coffee_mug" for "coffee mug", answered by all shapes of that label.
    So is each line of a description, answered by the shapes that have it and by those of the same
    label and group_id, which are parts of the same thing. What ends in ".", "?" or "!" is a
    sentence, anything else a noun phrase. A label with "ignore" in it marks pixels that count
    neither way. See also `ABSENT_FLAG`.
    """
    problems = list(file.problems)
    outlines: dict[int, list[Outline]] = {}
    for number, shape in enumerate(file.shapes):
        try:
            outlines[number] = shape_outlines(shape, size)
        except DatasetError as error:
            problems.append(str(error))
    if problems:
        return None, problems
    queries, answers = _queries(file.shapes)
    absent = _absent(file.flags)
    drawn = {text.lower() for query in queries for text in query.texts}
    for text in (text for query in absent for text in query.texts if text.lower() in drawn):
        problems.append(f"the flag {ABSENT_FLAG} {text} is set, but {text!r} is drawn; undo either")
    queries += absent
    if problems or not queries:
        return None, problems
    several = len(queries) > 1
    shapes = [
        _shape(file.shapes[number], TARGET_LABEL, outline, group if several else None)
        for group, numbers in enumerate(answers, start=1)
        for number in numbers
        for outline in outlines[number]
    ]
    shapes += [
        _shape(shape, IGNORE_LABEL, outline, None)
        for number, shape in enumerate(file.shapes)
        if shape.is_ignore
        for outline in outlines[number]
    ]
    annotation = Annotation(
        image_name=image_name,
        width=size[1],
        height=size[0],
        query=replace(queries[0], group_id=None),
        shapes=tuple(shapes),
        queries=tuple(queries) if several else (),
        other={"version": file.version, "flags": dict(file.flags), "imageData": None},
        where=str(file.path),
    )
    return annotation, []


def shape_outlines(shape: DrawnShape, size: tuple[int, int]) -> list[Outline]:
    """Polygons inside an image of size (H, W) that cover what the shape covers of it.

    Raises:
        DatasetError: it covers no pixel of the image, or a mask does not fit its box.

    """
    if shape.mask is not None:
        outlines = mask_outlines(_placed(shape, shape.mask, size))
    else:
        corners = _corners(shape)
        x, y = np.array(corners).T
        if (x >= 0).all() and (x < size[1]).all() and (y >= 0).all() and (y < size[0]).all():
            return [corners]
        covered = polygon_mask([LabelledPolygon("", corners)], *size) == TARGET
        outlines = mask_outlines(covered)
    if not outlines:
        raise DatasetError(
            f"{shape.where}: 'points' lie outside the image of {size[1]}x{size[0]} px. Draw "
            f"{shape.label!r} again, or delete it."
        )
    return outlines


def _corners(shape: DrawnShape) -> Outline:
    if shape.kind == "rectangle":
        (left, top), (right, bottom) = shape.points
        return ((left, top), (right, top), (right, bottom), (left, bottom))
    if shape.kind == "circle":
        (x, y), rim = shape.points
        radius = math.dist((x, y), rim)
        count = max(8, math.ceil(math.pi * math.sqrt(radius / (2 * _STRAY_PX))))
        angles = [2 * math.pi * number / count for number in range(count)]
        return tuple((x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles)
    return shape.points


def _placed(shape: DrawnShape, mask: BoolArray, size: tuple[int, int]) -> BoolArray:
    """A mask in its place, bool[H,W] of the image."""
    (left, top), (right, bottom) = ((int(x), int(y)) for x, y in shape.points)
    box = (bottom - top + 1, right - left + 1)
    if mask.shape != box or min(left, top) < 0 or right >= size[1] or bottom >= size[0]:
        raise DatasetError(
            f"{shape.where}: 'mask' is {mask.shape[1]}x{mask.shape[0]} px at {shape.points}; "
            f"expected {box[1]}x{box[0]} inside {size[1]}x{size[0]}. Draw it again."
        )
    placed: BoolArray = np.zeros(size, bool)
    placed[top : bottom + 1, left : right + 1] = mask
    return placed


def _queries(shapes: Sequence[DrawnShape]) -> tuple[list[Query], list[tuple[int, ...]]]:
    """Questions by what answers them, and of each group of answering shapes their numbers."""
    meant: dict[str, set[int]] = {}
    for number, shape in enumerate(shapes):
        if not shape.is_ignore:
            meant.setdefault(_words(shape.label), set()).add(number)
            for line in shape.description.splitlines():
                if line.strip():
                    meant.setdefault(line.strip(), set()).update(_instance(shapes, number))
    groups: dict[tuple[int, ...], dict[bool, list[str]]] = {}
    for text, numbers in meant.items():
        wordings = groups.setdefault(tuple(sorted(numbers)), {})
        wordings.setdefault(text.endswith(_SENTENCE_ENDS), []).append(text)
    queries = [
        Query(tuple(texts), is_sentence, group)
        for group, wordings in enumerate(groups.values(), start=1)
        for is_sentence, texts in wordings.items()
    ]
    return queries, list(groups)


def _absent(flags: Mapping[str, bool]) -> list[Query]:
    """Questions for what the image's flags say is not there."""
    texts = [
        _words(name[len(ABSENT_FLAG) :]).strip()
        for name, is_set in flags.items()
        if is_set and name.lower().startswith(ABSENT_FLAG)
    ]
    return [Query((text,), text.endswith(_SENTENCE_ENDS), no_target=True) for text in texts if text]


def _instance(shapes: Sequence[DrawnShape], number: int) -> Iterator[int]:
    """The shapes of the thing that a shape is a part of."""
    own = shapes[number]
    for other, shape in enumerate(shapes):
        same = shape.label == own.label and shape.group_id == own.group_id
        if other == number or (same and own.group_id is not None):
            yield other


def _words(label: str) -> str:
    return " ".join(label.replace("_", " ").split()) or label


def _shape(drawn: DrawnShape, label: str, outline: Outline, group: int | None) -> Shape:
    # The label that was drawn stays readable in labelme.
    other = {"flags": dict(drawn.flags), "description": drawn.label}
    return Shape(label, outline, group, other=other)
