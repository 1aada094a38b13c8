"""The JSON beside a ReasonSeg image: texts that share one mask, and labelled polygons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.polygon_mask import LabelledPolygon, polygon_mask
from lisa_ros.types import UInt8Array
from training.data.fields import field, of_kind, read_json
from training.data.phrasing import checked_text

# Some of the released files are in Windows' encoding; every sequence of bytes that is UTF-8 is so.
_ENCODINGS = ("utf-8-sig", "cp1252")
_FEWEST_POINTS = 3


@dataclass(frozen=True)
class ReasonSegAnnotation:
    """texts: rephrasings of one request, at least one. is_sentence: whole sentences, not phrases.

    polygons: may be none, for a request that nothing in the image meets. unread_shapes: types other
    than polygons, whose points upstream takes for a polygon's.
    """

    path: Path
    texts: tuple[str, ...]
    is_sentence: bool
    polygons: tuple[LabelledPolygon, ...]
    unread_shapes: tuple[str, ...]

    def mask(self, height: int, width: int) -> UInt8Array:
        """u8[height,width]: 0 background, 1 target, 255 ignore.

        Raises:
            DatasetError: a polygon cannot be drawn; names the file and the polygon.

        """
        try:
            return polygon_mask(self.polygons, height, width)
        except DatasetError as error:
            raise DatasetError(f"{self.path}: {error}") from error

    def checked_texts(self) -> tuple[str, ...]:
        """The texts; DatasetError names one that is blank or holds `[SEG]` or `<image>`."""
        return tuple(
            checked_text(text, f"Text {number} of {self.path}")
            for number, text in enumerate(self.texts)
        )

    def remarks(self) -> Iterator[str]:
        """What upstream reads without complaint, and what is still unlikely to be meant."""
        if not self.polygons:
            yield "has no shapes: its mask is empty; draw the target, or delete the file"
        for number, polygon in enumerate(self.polygons):
            if 0 < len(polygon.points) < _FEWEST_POINTS and not polygon.is_flag:
                yield (
                    f"polygon {number} ({polygon.label!r}) has {len(polygon.points)} points: only "
                    "a line is drawn; draw it again"
                )
        for kind in self.unread_shapes:
            yield f"a shape of type {kind!r} is read as a polygon; draw it as one"


def read_annotation(path: Path) -> ReasonSegAnnotation:
    """Read an annotation, in UTF-8 or else cp1252.

    Raises:
        DatasetError: the file is missing or malformed; names the file and the key.

    """
    loaded = read_json(path, _ENCODINGS)
    texts = field(loaded, "text", list, str(path))
    if not texts:
        raise DatasetError(f"'text' of {path} is an empty list; expected one text or more.")
    shapes = field(loaded, "shapes", list, str(path))
    polygons = tuple(_polygon(shape, f"shape {n} of {path}") for n, shape in enumerate(shapes))
    kinds = {str(shape.get("shape_type", "polygon")) for shape in shapes}
    return ReasonSegAnnotation(
        path=path,
        texts=tuple(of_kind(text, str, f"a text of {path}") for text in texts),
        is_sentence=field(loaded, "is_sentence", bool, str(path)),
        polygons=polygons,
        unread_shapes=tuple(sorted(kinds - {"polygon"})),
    )


def _polygon(shape: object, where: str) -> LabelledPolygon:
    points = field(shape, "points", list, where)
    return LabelledPolygon(
        field(shape, "label", str, where),
        tuple(_point(point, f"point {n} of {where}") for n, point in enumerate(points)),
    )


def _point(point: object, where: str) -> tuple[float, float]:
    if isinstance(point, list) and len(point) == 2 and all(_is_number(c) for c in point):
        try:
            return float(point[0]), float(point[1])
        except OverflowError:
            pass
    raise DatasetError(f"{where} is {str(point)[:80]}; expected [x, y] in px. Draw it again.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
