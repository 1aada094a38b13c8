"""The annotation of one image: what is asked, and the polygons of the answer.

Source: the JSON has ReasonSeg's keys (`text`, `is_sentence`, `shapes`) and labelme's, so that
labelme opens it and upstream's reader understands it; `queries` and `no_target` are this project's.
Keys that are not known here are kept, so that reading and writing loses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.documents import Document, is_number
from lisa_ros.recordings.image_files import MAX_PIXELS
from lisa_ros.recordings.polygon_mask import LabelledPolygon, polygon_mask
from lisa_ros.types import UInt8Array

POLYGON = "polygon"
TARGET_LABEL = "target"
IGNORE_LABEL = "ignore"
# A box to tick in labelme; unticked it says that nobody has looked at a robot's own answer.
REVIEWED_FLAG = "reviewed"
_OURS = (
    "text", "is_sentence", "no_target", "queries", "shapes", "imagePath", "imageWidth",
    "imageHeight",
)  # fmt: skip
_SHAPE_KEYS = ("label", "points", "group_id", "shape_type")


@dataclass(frozen=True)
class Shape:
    """One outline that somebody drew: points are (x, y) px, pixel (u, v) is [u, u+1) × [v, v+1)."""

    label: str
    points: tuple[tuple[float, float], ...]
    group_id: int | None = None
    shape_type: str = POLYGON
    other: Mapping[str, Any] = field(default_factory=dict)

    @property
    def polygon(self) -> LabelledPolygon:
        """What the mask's rule needs of it."""
        return LabelledPolygon(self.label, self.points)

    @property
    def is_target(self) -> bool:
        """Whether it shows what is asked for: anything but remarks and regions to ignore."""
        return not self.polygon.is_flag and not self.polygon.is_ignore


@dataclass(frozen=True)
class Query:
    """One question in several wordings, and which shapes answer it.

    is_sentence: whether the texts are sentences, or else noun phrases. group_id: only target shapes
    of this group answer; None: all. no_target: what is asked for is not in the image.
    """

    texts: tuple[str, ...]
    is_sentence: bool
    group_id: int | None = None
    no_target: bool = False


@dataclass(frozen=True)
class Annotation:
    """What an annotation file says. width, height: of the image, px.

    query: the one of readers that know no `queries`; all shapes answer it. queries: those of this
    project's readers instead; empty when there is only `query`. where: the file, for messages.
    """

    image_name: str
    width: int
    height: int
    query: Query
    shapes: tuple[Shape, ...]
    queries: tuple[Query, ...] = ()
    other: Mapping[str, Any] = field(default_factory=dict)
    where: str = field(default="annotation", compare=False)

    @property
    def asked(self) -> tuple[Query, ...]:
        """What is asked of the image."""
        return self.queries or (self.query,)

    @property
    def awaits_review(self) -> bool:
        """Whether this is a robot's own answer that nobody has confirmed or corrected yet."""
        flags = self.other.get("flags")
        return isinstance(flags, dict) and flags.get(REVIEWED_FLAG) is False

    def targets(self, query: Query) -> tuple[Shape, ...]:
        """The shapes that answer a query."""
        return tuple(shape for shape in self.shapes if _answers(shape, query))

    def mask(self, query: Query) -> UInt8Array:
        """u8[H,W] of a query: 1 target, 255 ignore, 0 background.

        Regions to ignore count if they belong to no group, or to the query's.

        Raises:
            DatasetError: a shape is no polygon, or cannot be drawn.

        """
        drawn = [shape for shape in self.shapes if _answers(shape, query) or _hides(shape, query)]
        for shape in drawn:
            if shape.shape_type != POLYGON:
                raise DatasetError(
                    f"{self.where}: a shape {shape.label!r} is a {shape.shape_type!r}; expected "
                    "a polygon. Draw it again as one."
                )
        try:
            return polygon_mask([shape.polygon for shape in drawn], self.height, self.width)
        except DatasetError as error:
            raise DatasetError(f"{self.where}: {error}") from error

    def to_json(self) -> bytes:
        """The file's content, UTF-8."""
        values = {
            **self.other,
            "text": list(self.query.texts),
            "is_sentence": self.query.is_sentence,
            "shapes": [_shape_values(shape) for shape in self.shapes],
            "imagePath": self.image_name,
            "imageWidth": self.width,
            "imageHeight": self.height,
        }
        if self.query.no_target:
            values["no_target"] = True
        if self.queries:
            values["queries"] = [_query_values(query) for query in self.queries]
        return json.dumps(values, ensure_ascii=False, indent=1).encode()


def parse_annotation(document: Document) -> Annotation:
    """Read an annotation. Raises DatasetError naming file, key, what was got and what expected."""
    no_target = document.flag("no_target", False)
    width, height = document.integer("imageWidth"), document.integer("imageHeight")
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        document.fail("imageWidth", f"with imageHeight ({height}) 1 to {MAX_PIXELS} pixels")
    queries = document.children("queries") if document.has("queries") else []
    return Annotation(
        image_name=document.text("imagePath"),
        width=width,
        height=height,
        query=Query(document.texts("text"), document.flag("is_sentence"), None, no_target),
        shapes=tuple(_parse_shape(shape) for shape in document.children("shapes")),
        queries=tuple(_parse_query(query, no_target) for query in queries),
        other={key: value for key, value in document.values.items() if key not in _OURS},
        where=document.where,
    )


def _answers(shape: Shape, query: Query) -> bool:
    wanted = not query.no_target and query.group_id in (None, shape.group_id)
    return wanted and shape.is_target


def _hides(shape: Shape, query: Query) -> bool:
    near = query.group_id is None or shape.group_id in (None, query.group_id)
    return near and shape.polygon.is_ignore


def _parse_shape(shape: Document) -> Shape:
    points = shape.values.get("points")
    if not isinstance(points, list) or not points or not all(map(_is_point, points)):
        shape.fail("points", "a list of [x, y] with finite numbers, at least one")
    return Shape(
        label=shape.text("label"),
        points=tuple((float(x), float(y)) for x, y in points),
        group_id=_group(shape),
        shape_type=shape.text("shape_type") if shape.has("shape_type") else POLYGON,
        other={key: value for key, value in shape.values.items() if key not in _SHAPE_KEYS},
    )


def _parse_query(query: Document, no_target: bool) -> Query:
    return Query(
        texts=query.texts("text"),
        is_sentence=query.flag("is_sentence"),
        group_id=_group(query),
        no_target=query.flag("no_target", no_target),
    )


def _group(document: Document) -> int | None:
    return document.integer("group_id") if document.has("group_id") else None


def _is_point(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(is_number, value))


def _shape_values(shape: Shape) -> dict[str, Any]:
    return {
        **shape.other,
        "label": shape.label,
        "points": [list(point) for point in shape.points],
        "group_id": shape.group_id,
        "shape_type": shape.shape_type,
    }


def _query_values(query: Query) -> dict[str, Any]:
    values: dict[str, Any] = {"text": list(query.texts), "is_sentence": query.is_sentence}
    values["group_id"] = query.group_id
    if query.no_target:
        values["no_target"] = True
    return values
