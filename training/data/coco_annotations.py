"""A COCO-style index: one json file with images, annotations and categories."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeVar

from lisa_ros.errors import DatasetError
from lisa_ros.types import UInt8Array
from training.data.coco_masks import decode_segmentation
from training.data.fields import field, read_json

T = TypeVar("T")


class CocoImage(NamedTuple):
    """An image of the index: its file, relative to the folder of the set's images; size in px."""

    id: int
    file_name: str
    height: int
    width: int


class CocoAnnotation(NamedTuple):
    """One mask of one category; the segmentation is as stored, and not looked at yet."""

    id: int
    category_id: int
    segmentation: object


@dataclass(frozen=True)
class CocoIndex:
    """What an index says. categories: names by id. annotations: by id of the image."""

    path: Path
    images: tuple[CocoImage, ...]
    categories: Mapping[int, str]
    annotations: Mapping[int, tuple[CocoAnnotation, ...]]

    def mask(self, image: CocoImage, annotation: CocoAnnotation) -> UInt8Array:
        """Decode a mask, u8[H,W] of 0 and 1; it may be empty.

        Raises:
            DatasetError: malformed, or made for another size.

        """
        try:
            return decode_segmentation(annotation.segmentation, image.height, image.width)
        except DatasetError as error:
            raise DatasetError(
                f"Annotation {annotation.id} of {self.path} (image {image.file_name}) has no "
                f"usable mask. {error} Restore the file, or delete the annotation."
            ) from error


class Wanted(NamedTuple):
    """Ids of what is to be taken from an index; the rest of the file is passed over."""

    images: Container[int]
    annotations: Container[int]


def read_coco_index(path: Path, wanted: Wanted | None = None) -> CocoIndex:
    """Read an index, or what is wanted of it; images in the order of their ids.

    Raises:
        DatasetError: missing, malformed, an id twice, or a reference to what is not there.

    """
    content = read_json(path)
    categories: dict[int, str] = {}
    for number, item in enumerate(field(content, "categories", list, str(path))):
        where = f"category {number} of {path}"
        _add(categories, field(item, "id", int, where), field(item, "name", str, where), where)
    images: dict[int, CocoImage] = {}
    for number, item in enumerate(field(content, "images", list, str(path))):
        where = f"image {number} of {path}"
        key = field(item, "id", int, where)
        if wanted is None or key in wanted.images:
            _add(images, key, _image(item, key, where), where)
    return CocoIndex(
        path,
        tuple(images[key] for key in sorted(images)),
        categories,
        _annotations(content, images, categories, path, wanted),
    )


def _add(known: dict[int, T], key: int, value: T, where: str) -> None:
    if key in known:
        raise DatasetError(f"{where} has the id {key}, which an earlier one has. Restore the file.")
    known[key] = value


def _image(item: object, key: int, where: str) -> CocoImage:
    image = CocoImage(
        key,
        field(item, "file_name", str, where),
        field(item, "height", int, where),
        field(item, "width", int, where),
    )
    if image.height < 1 or image.width < 1:
        raise DatasetError(f"{where} has the size {image.width}x{image.height} px; restore it.")
    name = PurePosixPath(image.file_name)
    if not image.file_name or name.is_absolute() or ".." in name.parts:
        raise DatasetError(
            f"{where} has the file name {image.file_name!r}; expected a path below the images."
        )
    return image


def _annotations(
    content: object,
    images: Container[int],
    categories: Container[int],
    path: Path,
    wanted: Wanted | None,
) -> dict[int, tuple[CocoAnnotation, ...]]:
    found: dict[int, list[CocoAnnotation]] = {}
    for number, item in enumerate(field(content, "annotations", list, str(path))):
        where = f"annotation {number} of {path}"
        key = field(item, "id", int, where)
        if wanted is not None and key not in wanted.annotations:
            continue
        image_id = field(item, "image_id", int, where)
        if wanted is not None and image_id not in wanted.images:
            continue
        category_id = field(item, "category_id", int, where)
        if image_id not in images or category_id not in categories:
            raise DatasetError(
                f"{where} is of image {image_id} and category {category_id}, of which the file "
                "does not have both. Restore it."
            )
        found.setdefault(image_id, []).append(
            CocoAnnotation(key, category_id, field(item, "segmentation", object, where))
        )
    return {image_id: tuple(annotations) for image_id, annotations in found.items()}
