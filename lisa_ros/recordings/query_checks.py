"""The rules for one annotation: what is asked, what is drawn, and whether the two fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.annotation import (
    POLYGON,
    REVIEWED_FLAG,
    TARGET_LABEL,
    Annotation,
    Query,
    Shape,
)
from lisa_ros.recordings.finding import Finding, error, warning
from lisa_ros.recordings.polygon_mask import TARGET

# Fewer pixels are a slip of the hand, or too small for any model of this family to learn.
SMALL_TARGET_PX = 16
# They mean something to the tokenizer.
RESERVED = ("<image>", "[SEG]", "<im_start>", "<im_end>", "<s>", "</s>", "<unk>")


def annotation_findings(path: Path, annotation: Annotation) -> Iterator[Finding]:
    """All that is wrong with an annotation in itself."""
    if annotation.image_name != f"{path.stem}.jpg":
        yield error(
            path, f"imagePath is {annotation.image_name!r}; expected {path.stem + '.jpg'!r}"
        )
    if annotation.other.get("imageData") is not None:
        yield warning(path, "holds the image itself (imageData); switch that off in labelme")
    if not isinstance(annotation.other.get("version"), str):
        yield warning(path, "has no version as labelme writes it; save it in labelme once")
    if annotation.awaits_review:
        yield warning(
            path,
            "is a robot's own answer that nobody has reviewed, so nothing is learned from it; "
            f"correct it in labelme and tick the flag {REVIEWED_FLAG!r} there",
        )
    for number, shape in enumerate(annotation.shapes):
        yield from _shape_findings(path, f"shape {number}", shape, annotation)
    for query in (annotation.query, *annotation.queries):
        yield from _text_findings(path, query)
    if annotation.query.no_target and any(shape.is_target for shape in annotation.shapes):
        yield error(path, "says no_target but has target shapes; delete either")
    for query in annotation.asked:
        yield from _answer_findings(path, annotation, query)


def text_findings(path: Path, text: str) -> Iterator[Finding]:
    """A text must not hold what means something to the tokenizer."""
    for token in RESERVED:
        if token in text:
            yield error(path, f"the text {text[:80]!r} holds {token}; remove that")


def _shape_findings(
    path: Path, where: str, shape: Shape, annotation: Annotation
) -> Iterator[Finding]:
    if shape.polygon.is_flag:
        return
    if shape.is_target and shape.label.lower() != TARGET_LABEL:
        yield warning(
            path,
            f"{where} is labelled {shape.label!r}, which counts as a target; label it 'target', "
            "'ignore' or 'flag'",
        )
    if shape.shape_type != POLYGON:
        yield error(path, f"{where} is a {shape.shape_type!r}; draw it again as a polygon")
    elif len(shape.points) < 3:
        yield error(path, f"{where} has {len(shape.points)} points; a polygon needs 3 or more")
    x, y = np.array(shape.points).T
    inside = (x >= 0) & (x < annotation.width) & (y >= 0) & (y < annotation.height)
    if not inside.any():
        yield error(path, f"{where} has no point inside the image; draw it again")
    elif not inside.all():
        yield warning(path, f"{where} leaves the image; move its points inside")


def _text_findings(path: Path, query: Query) -> Iterator[Finding]:
    for text, count in Counter(query.texts).items():
        yield from text_findings(path, text)
        if count > 1:
            yield warning(path, f"the text {text[:80]!r} is there {count} times; delete the copies")


def _answer_findings(path: Path, annotation: Annotation, query: Query) -> Iterator[Finding]:
    asked = query.texts[0][:80]
    in_group = [s for s in annotation.shapes if s.is_target and s.group_id == query.group_id]
    if query.no_target:
        if query.group_id is not None and in_group:
            yield error(path, f"{asked!r} says no_target but has target shapes; delete either")
        return
    if not annotation.targets(query):
        group = "" if query.group_id is None else f" of group_id {query.group_id}"
        yield error(
            path, f'{asked!r} has no target shape{group}; draw it, or set "no_target": true'
        )
        return
    try:
        covered = int((annotation.mask(query) == TARGET).sum())
    except DatasetError as problem:
        yield error(path, str(problem))
        return
    if covered == 0:
        yield error(path, f"the target of {asked!r} has no pixel in sight; draw it again")
    elif covered < SMALL_TARGET_PX:
        yield warning(path, f"the target of {asked!r} has only {covered} pixels; check it")
