"""Images with a label image each: what ADE20K, COCO-Stuff and Mapillary Vistas have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.types import UInt8Array
from training.data.class_questions import class_conversations
from training.data.coco_number import coco_number
from training.data.image_file import checked_size, image_problems
from training.data.label_image import read_label_image, values_in
from training.data.phrasing import QUESTIONS_PER_IMAGE
from training.data.sample import NothingToAskError, Problem, Sample

IMAGE_SUFFIX, LABEL_SUFFIX = ".jpg", ".png"


def existing_folder(folder: Path) -> Path:
    """The folder itself; DatasetError where there is none."""
    if not folder.is_dir():
        raise DatasetError(
            f"There is no folder {folder}. Unpack the dataset there, or take it out of the mixture."
        )
    return folder


def stems_in(folder: Path, suffix: str) -> tuple[str, ...]:
    """List the names, less `suffix`, of the files of a folder that end in it, sorted.

    Hidden files, such as the "._a.jpg" of a Mac, do not count.

    Raises:
        DatasetError: there is no such folder.

    """
    names = (path.name for path in existing_folder(folder).iterdir())
    return tuple(
        sorted(
            name.removesuffix(suffix) for name in names if name.endswith(suffix) and name[0] != "."
        )
    )


@dataclass(frozen=True)
class LabelledImages:
    """An `ImageDataset` that asks for up to `max_questions` of the classes in an image.

    stems: the samples, as file names without suffix: a .jpg and a .png of the same stem.
    class_names: what to ask for, by pixel value. ignored_values stand for nothing to ask for, and
    are background in every mask. Any other value is an error: the labels are of another set.

    An image without a class to ask for is found out only when it is drawn: to know beforehand
    would mean to decode every label image of the set. So it counts in `len`.
    """

    name: str
    image_folder: Path
    label_folder: Path
    stems: tuple[str, ...]
    class_names: Mapping[int, str]
    ignored_values: frozenset[int]
    max_questions: int = QUESTIONS_PER_IMAGE

    def __post_init__(self) -> None:
        if not self.class_names:
            raise DatasetError(f"{self.name} has no class to ask for; its list of names is empty.")
        if not self.stems:
            raise DatasetError(
                f"{self.name} has no files in {self.image_folder} or {self.label_folder}. Unpack "
                "the dataset there, or take it out of the mixture."
            )

    def __len__(self) -> int:
        return len(self.stems)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Ask for classes of one image, drawn evenly from those that it shows.

        Raises:
            DatasetError: a file is missing or malformed, or of another size than its partner.
            NothingToAskError: the image shows ignored values only.

        """
        stem = self.stems[index]
        label, present = self._label(stem)
        checked_size(self._image_path(stem), label.shape)
        if not present:
            raise NothingToAskError(self._nothing_to_ask(stem))
        values = [int(value) for value in rng.permutation(present)[: self.max_questions]]
        masks = np.stack([label == value for value in values]).astype(np.uint8)
        names = [self.class_names[value] for value in values]
        return Sample(self.name, self._image_path(stem), class_conversations(names, rng), masks)

    def counts(self) -> Mapping[str, int]:
        """Images, and classes that are asked for; both from the index."""
        return {"images": len(self), "classes": len(self.class_names)}

    def coco_numbers(self) -> tuple[int | None, ...]:
        """COCO's number of each image; None for one that is not of COCO."""
        return tuple(coco_number(f"{stem}{IMAGE_SUFFIX}") for stem in self.stems)

    def problems(self) -> Iterator[Problem]:
        """Decode every image and label image."""
        for stem in self.stems:
            yield from self._problems_of(stem)
        yield from self._unpaired(self.image_folder, IMAGE_SUFFIX)
        yield from self._unpaired(self.label_folder, LABEL_SUFFIX)

    def _image_path(self, stem: str) -> Path:
        return self.image_folder / f"{stem}{IMAGE_SUFFIX}"

    def _label_path(self, stem: str) -> Path:
        return self.label_folder / f"{stem}{LABEL_SUFFIX}"

    def _label(self, stem: str) -> tuple[UInt8Array, list[int]]:
        """Pixel values u8[H,W], and which classes to ask for are among them."""
        path = self._label_path(stem)
        label = read_label_image(path)
        values = values_in(label)
        strange = [v for v in values if v not in self.class_names and v not in self.ignored_values]
        if strange:
            raise DatasetError(
                f"{path} has the pixel values {strange}, which are no class of {self.name}. "
                "Is it of another release of the dataset, or converted?"
            )
        return label, [v for v in values if v in self.class_names]

    def _nothing_to_ask(self, stem: str) -> str:
        return f"{self._label_path(stem)} shows no class that {self.name} asks for."

    def _problems_of(self, stem: str) -> Iterator[Problem]:
        try:
            label, present = self._label(stem)
        except DatasetError as error:
            yield Problem("error", self._label_path(stem), str(error))
            yield from image_problems(self._image_path(stem))
            return
        yield from image_problems(self._image_path(stem), label.shape)
        if not present:
            yield Problem("warning", self._label_path(stem), self._nothing_to_ask(stem))

    def _unpaired(self, folder: Path, suffix: str) -> Iterator[Problem]:
        unused = sorted(set(stems_in(folder, suffix)) - set(self.stems))
        if unused:
            yield Problem(
                "warning",
                folder,
                f"{len(unused)} {suffix} files have no partner and are not used, such as "
                f"{unused[0]}{suffix}.",
            )
