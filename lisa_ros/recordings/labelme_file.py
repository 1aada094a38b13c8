"""One file as labelme writes it: an image, and shapes that somebody drew on it.

Source: the JSON of wkentaro/labelme: `shapes` [{label, points, shape_type, group_id, flags,
description, mask}], `flags`, `imagePath`, `imageData` (the image itself in base64, or null),
`imageHeight`, `imageWidth`, `version`. Older versions leave some of these out.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

import numpy as np
from PIL import Image, ImageOps

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.documents import Document, is_number, read_json_document
from lisa_ros.recordings.image_files import (
    UPRIGHT,
    exif_orientation,
    opened_image,
    opened_image_bytes,
)
from lisa_ros.recordings.polygon_mask import MAX_COORDINATE_PX, LabelledPolygon
from lisa_ros.types import BoolArray, UInt8Array

# How many points each shape has that covers an area.
_POINTS = {"polygon": None, "rectangle": 2, "circle": 2, "mask": 2}


@dataclass(frozen=True, eq=False)
class DrawnShape:
    """A shape that covers an area: points are (x, y) px; `where` is its place in the file.

    kind: "polygon"; "rectangle" with two corners; "circle" with its centre and a point of its rim;
    "mask" with the first and the last pixel of its box, and `mask`, bool[H,W], in it.
    """

    where: str
    label: str
    kind: str
    points: tuple[tuple[float, float], ...]
    group_id: int | None
    description: str
    flags: Mapping[str, bool]
    mask: BoolArray | None = None

    @property
    def is_ignore(self) -> bool:
        """Whether its pixels are to be ignored, by ReasonSeg's rule."""
        return LabelledPolygon(self.label, ()).is_ignore


@dataclass(frozen=True)
class LabelmeFile:
    """A file and its shapes without the remarks, those labelled "flag".

    problems: what is wrong with shapes, which are left out then.
    """

    path: Path
    version: str
    flags: Mapping[str, bool]
    shapes: tuple[DrawnShape, ...]
    problems: tuple[str, ...]
    document: Document = field(repr=False)

    def image(self) -> tuple[UInt8Array, bool]:
        """The image u8[H,W,3] as labelme shows it, and whether it was turned for that.

        labelme shows what is embedded rather than `imagePath`, and turns it as EXIF says.

        Raises:
            DatasetError: it is missing, of more than 8 bits, cannot be decoded, or has another size
                than the file says.

        """
        with self._opened() as image:
            if image.mode.startswith(("I", "F")):  # which Pillow would cut off at 255
                raise DatasetError(
                    f"{self.path}: its image has more than 8 bits a colour (mode {image.mode!r}). "
                    "Save it with 8."
                )
            turned = exif_orientation(image) != UPRIGHT
            upright = ImageOps.exif_transpose(image) if turned else image
            pixels = np.array(upright.convert("RGB"))
        for key, found in (("imageHeight", pixels.shape[0]), ("imageWidth", pixels.shape[1])):
            if self.document.has(key) and self.document.integer(key) != found:
                self.document.fail(key, f"{found}, as the image has; was it replaced?")
        return pixels, turned

    @contextmanager
    def _opened(self) -> Iterator[Image.Image]:
        if self.document.has("imageData"):
            content = _decoded(self.document, "imageData")
            with opened_image_bytes(content, f"{self.path}: imageData") as image:
                yield image
            return
        named = self.document.text("imagePath")
        path = self.path.parent / named
        if not os.path.isfile(path):  # unlike Path's, also of a name that is too long for one
            path = self.path.parent / PureWindowsPath(named).as_posix()
        if not os.path.isfile(path):
            self.document.fail("imagePath", f"an image beside the file; there is no {path}")
        with opened_image(path) as image:
            yield image


def read_labelme(path: Path) -> LabelmeFile:
    """Read a file, but not its image.

    Raises:
        DatasetError: not JSON, or without a list of shapes; names file and key.

    """
    document = read_json_document(path)
    shapes, problems = [], []
    for shape in document.children("shapes"):
        try:
            if not LabelledPolygon(shape.text("label"), ()).is_flag:
                shapes.append(_shape(shape))
        except DatasetError as error:
            problems.append(str(error))
    return LabelmeFile(
        path=path,
        version=document.text("version") if document.has("version") else "5.0.1",
        flags=_flags(document),
        shapes=tuple(shapes),
        problems=tuple(problems),
        document=document,
    )


def _shape(shape: Document) -> DrawnShape:
    kind = shape.text("shape_type") if shape.has("shape_type") else "polygon"
    if kind not in _POINTS:
        shape.fail(
            "shape_type",
            f"a shape that covers an area ({', '.join(_POINTS)}); draw it again, or label it "
            "'flag' if it is a remark",
        )
    points = shape.values.get("points")
    if not isinstance(points, list) or not all(map(_is_point, points)):
        shape.fail("points", f"a list of [x, y] in px, of at most {MAX_COORDINATE_PX}")
    wanted = _POINTS[kind]
    if (len(points) < 3) if wanted is None else (len(points) != wanted):
        shape.fail("points", f"{'3 or more' if wanted is None else wanted} of a {kind}")
    return DrawnShape(
        where=shape.where,
        label=shape.text("label"),
        kind=kind,
        points=tuple((float(x), float(y)) for x, y in points),
        group_id=shape.integer("group_id") if shape.has("group_id") else None,
        description=_description(shape),
        flags=_flags(shape),
        mask=_mask(shape) if kind == "mask" else None,
    )


def _is_point(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 2 or not all(map(is_number, value)):
        return False
    return all(abs(number) <= MAX_COORDINATE_PX for number in value)


def _description(shape: Document) -> str:
    value = shape.values.get("description")
    if value is not None and not isinstance(value, str):
        shape.fail("description", "a text")
    return value or ""


def _flags(document: Document) -> Mapping[str, bool]:
    flags = document.values.get("flags") or {}
    if not isinstance(flags, dict) or not all(isinstance(value, bool) for value in flags.values()):
        document.fail("flags", "a mapping of names to true or false")
    return flags


def _mask(shape: Document) -> BoolArray:
    with opened_image_bytes(_decoded(shape, "mask"), f"{shape.where}: mask") as image:
        mask: BoolArray = np.array(image.convert("L")) > 0
    return mask


def _decoded(document: Document, key: str) -> bytes:
    try:
        return base64.b64decode(document.text(key), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DatasetError(f"{document.where}: {key!r} is not base64: {error}.") from error
