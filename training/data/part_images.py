"""Images with masks of objects and their parts: what PACO-LVIS and PASCAL-Part have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.types import UInt8Array
from training.data.class_questions import class_conversations
from training.data.coco_annotations import (
    CocoAnnotation,
    CocoImage,
    CocoIndex,
    read_coco_index,
)
from training.data.image_file import checked_size, image_problems
from training.data.phrasing import QUESTIONS_PER_IMAGE, checked_text
from training.data.sample import NothingToAskError, Problem, Sample


class PartName(NamedTuple):
    """What a category is called: an object, or a part of one."""

    whole: str
    part: str | None

    def phrase(self, rng: np.random.Generator) -> str:
        """The object; of a part, either "car wheel" or "the wheel of the car", evenly."""
        if self.part is None:
            return self.whole
        if rng.random() < 0.5:
            return f"{self.whole} {self.part}"
        return f"the {self.part} of the {self.whole}"


def part_name(category: str, where: str) -> PartName:
    """Read "car_(automobile):wheel" as the wheel of a car.

    What tells two meanings of a word apart, from "_(" on, is left out; other underscores stay.

    Raises:
        DatasetError: more than one colon, or nothing on a side of it.

    """
    names = [half.partition("_(")[0].strip() for half in category.split(":")]
    if len(names) > 2:
        raise DatasetError(f"{where} is {category!r}; expected 'object' or 'object:part'.")
    for name in names:
        checked_text(name, where)
    return PartName(names[0], names[1] if len(names) == 2 else None)


@dataclass(frozen=True)
class PartImages:
    """An `ImageDataset` that asks for up to `max_questions` of an image's annotations.

    Each annotation is one mask, so a class may be asked for twice, for two instances. Masks
    without a pixel are passed over.

    images: those that have annotations. names: what to ask for, by the category's id.
    upstream_compat: ask for empty masks too, and for "the the wheel of the car".
    """

    name: str
    index: CocoIndex
    images: tuple[CocoImage, ...]
    names: Mapping[int, PartName]
    image_folder: Path
    max_questions: int = QUESTIONS_PER_IMAGE
    upstream_compat: bool = False

    def __len__(self) -> int:
        return len(self.images)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Ask for objects and parts of one image, drawn evenly from its annotations.

        Raises:
            DatasetError: the image is missing or of another size, or a drawn mask is malformed.
            NothingToAskError: no annotation of it has a pixel.

        """
        image = self.images[index]
        checked_size(self._path(image), (image.height, image.width))
        drawn = self._drawn(image, rng)
        if not drawn:
            raise NothingToAskError(f"No annotation of {self._path(image)} has a pixel.")
        phrases = [self.names[annotation.category_id].phrase(rng) for annotation, _ in drawn]
        conversations = class_conversations(phrases, rng, self.upstream_compat)
        masks = np.stack([mask for _, mask in drawn])
        return Sample(self.name, self._path(image), conversations, masks)

    def counts(self) -> Mapping[str, int]:
        """Images, masks and categories of the index, and images that have no annotation."""
        return {
            "images": len(self),
            "masks": sum(len(found) for found in self.index.annotations.values()),
            "classes": len(self.names),
            "images without annotations": len(self.index.images) - len(self),
        }

    def coco_numbers(self) -> tuple[int | None, ...]:
        """COCO's number of each image, which is its id in sets on COCO's images."""
        return tuple(image.id for image in self.images)

    def problems(self) -> Iterator[Problem]:
        """Decode every image, and every mask of those that are as the index says."""
        for image in self.images:
            found = list(image_problems(self._path(image), (image.height, image.width)))
            yield from found
            if any(problem.severity == "error" for problem in found):
                continue
            for annotation in self.index.annotations[image.id]:
                yield from self._mask_problems(image, annotation)

    def _path(self, image: CocoImage) -> Path:
        return self.image_folder / image.file_name

    def _drawn(
        self, image: CocoImage, rng: np.random.Generator
    ) -> list[tuple[CocoAnnotation, UInt8Array]]:
        annotations = self.index.annotations[image.id]
        drawn: list[tuple[CocoAnnotation, UInt8Array]] = []
        for number in rng.permutation(len(annotations)):
            mask = self.index.mask(image, annotations[number])
            if mask.any() or self.upstream_compat:
                drawn.append((annotations[number], mask))
            if len(drawn) == self.max_questions:
                break
        return drawn

    def _mask_problems(self, image: CocoImage, annotation: CocoAnnotation) -> Iterator[Problem]:
        try:
            empty = not self.index.mask(image, annotation).any()
        except DatasetError as error:
            yield Problem("error", self.index.path, str(error))
            return
        if empty:
            yield Problem(
                "warning",
                self.index.path,
                f"Annotation {annotation.id} (image {image.file_name}) has no pixel.",
            )


def open_part_images(
    name: str, index_path: Path, image_folder: Path, max_questions: int, upstream_compat: bool
) -> PartImages:
    """Open a COCO-style index; images without annotations are left out.

    Raises:
        DatasetError: the index is missing or malformed, or no image has an annotation.

    """
    index = read_coco_index(index_path)
    images = tuple(image for image in index.images if image.id in index.annotations)
    if not images:
        raise DatasetError(f"{index_path} has no image with an annotation. Restore the file.")
    names = {
        key: part_name(category, f"The name of category {key} of {index_path}")
        for key, category in index.categories.items()
    }
    return PartImages(name, index, images, names, image_folder, max_questions, upstream_compat)
