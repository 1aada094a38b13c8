"""ReasonSeg: photographs with requests that take reasoning, some with an explanation.

Source: dvlab-research/LISA, `reason_seg/<name>/{train,val,test}/<stem>.{jpg,json}` and
`explanatory/train.json`. Sampling follows upstream's reader, with a generator of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.polygon_mask import TARGET
from lisa_ros.types import UInt8Array
from training.data.explained import answered, draw_style
from training.data.fields import field, of_kind, read_json
from training.data.image_file import image_problems, image_size, upright_pixels
from training.data.phrasing import (
    QUESTIONS_PER_IMAGE,
    checked_text,
    drawn,
    validation_turn,
)
from training.data.reason_seg_annotation import ReasonSegAnnotation, read_annotation
from training.data.reason_seg_splits import list_images, split_leaks
from training.data.sample import Problem, Sample

# The only split that has explanations.
EXPLAINED_SPLIT = "train"


class ReasonSeg:
    """Some splits of a ReasonSeg folder; images in sorted order, split by split.

    texts_per_image: how many texts of an image are asked at most, each in its own conversation.
    reason_only_share: of the images that have an explanation, how many are answered by it alone,
    without a mask; half of the others get a mask with the explanation. None leaves explanations
    out, as in splits other than train. upstream_compat: as in `phrase_question`.
    """

    def __init__(
        self,
        folder: Path,
        splits: Sequence[str],
        *,
        texts_per_image: int = QUESTIONS_PER_IMAGE,
        reason_only_share: float | None = 0.1,
        upstream_compat: bool = False,
    ) -> None:
        """List the images and read the explanations.

        Raises:
            DatasetError: a split has no folder or no images, or the explanations cannot be read.

        """
        self._folder = folder
        self._splits = tuple(splits)
        self._texts_per_image, self._upstream_compat = texts_per_image, upstream_compat
        self._images = tuple(
            image for split in self._splits for image in list_images(folder / split)
        )
        self._reason_only_share = reason_only_share or 0.0
        explained = reason_only_share is not None and EXPLAINED_SPLIT in self._splits
        self._explanations_file = folder / "explanatory" / "train.json"
        self._explanations = _read_explanations(self._explanations_file) if explained else {}

    @property
    def name(self) -> str:
        """Such as "ReasonSeg|train_val"."""
        return f"{self._folder.name}|{'_'.join(self._splits)}"

    def __len__(self) -> int:
        return len(self._images)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Ask for the target with up to `texts_per_image` of the texts; ignored pixels count as 0.

        Raises:
            DatasetError: the image or its annotation is missing or malformed; names the file.

        """
        image = self._images[index]
        annotation = read_annotation(image.with_suffix(".json"))
        texts = annotation.checked_texts()
        explanation = self._explanation(image)
        style = draw_style(explanation, self._reason_only_share, rng)  # one for the image
        compat = self._upstream_compat
        turns = [
            answered(
                texts[i], annotation.is_sentence, style, explanation, rng, upstream_compat=compat
            )
            for i in drawn(len(texts), self._texts_per_image, rng)
        ]
        pixels, mask = _drawn(image, annotation)
        target = (mask == TARGET).astype(np.uint8)
        n_masks = len(turns) if style.has_mask else 0
        masks = np.repeat(target[None], n_masks, axis=0)
        return Sample(self.name, image, tuple((turn,) for turn in turns), masks, pixels)

    def validation_sample(self, index: int) -> Sample:
        """Ask in the published form, with the first text only; its mask holds 255 for ignored.

        Raises:
            DatasetError: the image or its annotation is missing or malformed; names the file.

        """
        image = self._images[index]
        annotation = read_annotation(image.with_suffix(".json"))
        turn = validation_turn(annotation.checked_texts()[0], annotation.is_sentence)
        pixels, mask = _drawn(image, annotation)
        return Sample(self.name, image, ((turn,),), mask[None], pixels)

    def counts(self) -> Mapping[str, int]:
        """Images, sentences, phrases, explanations and polygons.

        Raises:
            DatasetError: an annotation is missing or malformed; names the file.

        """
        total: Counter[str] = Counter(images=len(self), explanations=0, sentences=0, phrases=0)
        for image in self._images:
            annotation = read_annotation(image.with_suffix(".json"))
            total["sentences" if annotation.is_sentence else "phrases"] += len(annotation.texts)
            total["polygons"] += len(annotation.polygons)
            total["explanations"] += image.name in self._explanations
        return dict(total)

    def problems(self) -> Iterator[Problem]:
        """Decode every image, read every annotation, draw every mask; look for leaks."""
        for image in self._images:
            yield from _image_problems(image)
        yield from self._explanation_problems()
        for split in self._splits:
            yield from _pairing_problems(self._folder / split)
        yield from split_leaks(self._folder, self._splits)

    def _explanation(self, image: Path) -> str | None:
        text = self._explanations.get(image.name)
        return None if text is None else checked_text(text, f"The explanation of {image.name}")

    def _explanation_problems(self) -> Iterator[Problem]:
        names = {image.name for image in self._images}
        for name in sorted(self._explanations):
            if name not in names:
                message = f"explains {name}, which is no image of {', '.join(self._splits)}"
                yield Problem("warning", self._explanations_file, message)
            try:
                checked_text(self._explanations[name], f"The explanation of {name}")
            except DatasetError as error:
                yield Problem("error", self._explanations_file, str(error))


def _drawn(image: Path, annotation: ReasonSegAnnotation) -> tuple[UInt8Array | None, UInt8Array]:
    """The picture, if it is to be turned by its EXIF tag as upstream does; and the mask of both."""
    pixels = upright_pixels(image)
    height, width = image_size(image) if pixels is None else pixels.shape[:2]
    return pixels, annotation.mask(height, width)


def _read_explanations(path: Path) -> dict[str, str]:
    """Explanation by the image's file name."""
    entries = of_kind(read_json(path), list, str(path))
    return {
        Path(field(entry, "image", str, f"entry {n} of {path}")).name: field(
            entry, "outputs", str, f"entry {n} of {path}"
        )
        for n, entry in enumerate(entries)
    }


def _image_problems(image: Path) -> Iterator[Problem]:
    yield from image_problems(image, turned=True)
    path = image.with_suffix(".json")
    try:
        annotation = read_annotation(path)
        annotation.checked_texts()
        _, mask = _drawn(image, annotation)
    except DatasetError as error:
        yield Problem("error", path, str(error))
        return
    for remark in annotation.remarks():
        yield Problem("warning", path, remark)
    if annotation.polygons and TARGET not in mask:
        yield Problem("warning", path, "no pixel of its target is in sight; draw it again")


def _pairing_problems(folder: Path) -> Iterator[Problem]:
    images = Counter(image.stem for image in list_images(folder))
    for stem, number in sorted(images.items()):
        if number > 1:
            message = f"{number} images share this annotation; rename all but one"
            yield Problem("error", folder / f"{stem}.json", message)
    for annotation in sorted(folder.glob("*.json")):
        if annotation.stem not in images and not annotation.name.startswith("."):
            yield Problem("warning", annotation, "has no image beside it, so it is not used")
