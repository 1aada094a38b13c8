"""refCOCO, refCOCO+, refCOCOg and refCLEF: phrases that tell one object from the others.

Source: lichengunc/refer, laid out as upstream has it: `refer_seg/<set>/{instances.json,
refs(<split by>).p}` and `refer_seg/images/`. gRefCOCO (`grefcoco`) shares the reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.model.prompts import REFUSAL
from lisa_ros.types import UInt8Array
from training.data.coco_annotations import CocoImage
from training.data.coco_masks import decode_segmentation
from training.data.image_file import checked_size, image_problems
from training.data.phrasing import (
    QUESTIONS_PER_IMAGE,
    accepting_answer,
    checked_text,
    drawn,
    phrase_question,
    validation_turn,
)
from training.data.refer_index import ReferIndex, read_refer_index, refs_file
from training.data.sample import NothingToAskError, Problem, Sample, Turn

_COCO_IMAGES = Path("images", "mscoco", "images", "train2014")
# Where the images of each set are, within `refer_seg`.
IMAGE_FOLDERS = {
    "refclef": Path("images", "saiapr_tc-12"),
    "refcoco": _COCO_IMAGES,
    "refcoco+": _COCO_IMAGES,
    "refcocog": _COCO_IMAGES,
    "grefcoco": _COCO_IMAGES,
}


class Expression(NamedTuple):
    """A sentence, stripped, and the annotations that it means; none: not in the image."""

    sentence: str
    annotations: tuple[int, ...]


class ReferringSet:
    """One split of a referring set, image by image.

    sentences_per_image: how many sentences of an image are asked at most, each in its own
    conversation. upstream_compat: masks count how many polygons of an object cover a pixel, as
    upstream's do by mistake, instead of holding 1; and as in `phrase_question`.
    """

    def __init__(
        self,
        name: str,
        index: ReferIndex,
        images: Path,
        *,
        sentences_per_image: int = QUESTIONS_PER_IMAGE,
        upstream_compat: bool = False,
    ) -> None:
        self._name, self._index, self._folder = name, index, images
        self._sentences_per_image = sentences_per_image
        self._upstream_compat = upstream_compat

    @property
    def name(self) -> str:
        """Such as "refcoco|unc|train"."""
        return self._name

    def __len__(self) -> int:
        return len(self._index.images)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Ask for what up to `sentences_per_image` sentences mean; refuse where that is nothing.

        Raises:
            DatasetError: the image is missing or of another size, a mask or a sentence malformed.
            NothingToAskError: all sentences about the image are blank.

        """
        image = self._index.images[index]
        expressions = self._asked(image)
        chosen = [expressions[i] for i in drawn(len(expressions), self._sentences_per_image, rng)]
        conversations = tuple((self._turn(expression, rng),) for expression in chosen)
        present = [expression for expression in chosen if expression.annotations]
        return Sample(self.name, self._path(image), conversations, self._masks(image, present))

    def validation_sample(self, index: int) -> Sample:
        """Ask for every sentence of the image in the published form, in lower case.

        The masks are one a sentence, also where nothing is meant (gRefCOCO): then it is empty.

        Raises:
            DatasetError: the image is missing or of another size, a mask or a sentence malformed.
            NothingToAskError: all sentences about the image are blank.

        """
        image = self._index.images[index]
        expressions = self._asked(image)
        conversations = tuple(
            (validation_turn(expression.sentence.lower(), is_sentence=False),)
            for expression in expressions
        )
        return Sample(self.name, self._path(image), conversations, self._masks(image, expressions))

    def counts(self) -> Mapping[str, int]:
        """Images, refs, sentences, those without a target, and annotated objects."""
        refs = [ref for image in self._index.images for ref in self._index.refs[image.id]]
        return {
            "images": len(self),
            "refs": len(refs),
            "sentences": sum(len(ref.sentences) for ref in refs),
            "sentences without target": sum(len(r.sentences) for r in refs if not r.annotations),
            "objects": len(self._index.segmentations),
        }

    def coco_numbers(self) -> tuple[int | None, ...]:
        """COCO's number of each image, which is its id in sets on COCO's images."""
        return tuple(image.id for image in self._index.images)

    def problems(self) -> Iterator[Problem]:
        """Decode every image and every mask, and read every sentence."""
        for image in self._index.images:
            path = self._path(image)
            wrong = list(image_problems(path, (image.height, image.width)))
            yield from wrong
            for ref in self._index.refs[image.id]:
                where = f"a sentence about image {image.id} ({image.file_name})"
                for sentence in ref.sentences:
                    yield from _sentence_problems(sentence, where, path)
            if any(problem.severity == "error" for problem in wrong):
                continue  # its size is not known, which a mask needs
            named = {a for ref in self._index.refs[image.id] for a in ref.annotations}
            for annotation in sorted(named):
                yield from self._mask_problems(annotation, image)
        for message in self._index.leaks(self.name.rpartition("|")[2]):
            yield Problem("warning", self._index.instances.parent, message)

    def _path(self, image: CocoImage) -> Path:
        return self._folder / image.file_name

    def _asked(self, image: CocoImage) -> list[Expression]:
        """What is said of an image. Blank sentences, which `problems` reports, ask for nothing."""
        path = self._path(image)
        checked_size(path, (image.height, image.width))
        found = [
            Expression(checked_text(sentence, f"a sentence about {path}").strip(), ref.annotations)
            for ref in self._index.refs[image.id]
            for sentence in ref.sentences
            if sentence.strip()
        ]
        if not found:
            raise NothingToAskError(f"No sentence refers to anything in {path}.")
        return found

    def _turn(self, expression: Expression, rng: np.random.Generator) -> Turn:
        compat = self._upstream_compat
        question = phrase_question(expression.sentence, rng, upstream_compat=compat)
        return Turn(question, accepting_answer(rng) if expression.annotations else REFUSAL)

    def _masks(self, image: CocoImage, expressions: list[Expression]) -> UInt8Array:
        """u8[S,H,W], one for each expression."""
        masks = np.zeros((len(expressions), image.height, image.width), np.uint8)
        for mask, expression in zip(masks, expressions, strict=True):
            for annotation in expression.annotations:
                self._draw(annotation, mask)
        return masks

    def _draw(self, annotation: int, mask: UInt8Array) -> None:
        """Put an object into u8[H,W], one of its polygons or run lengths after the other."""
        combine = np.add if self._upstream_compat else np.maximum
        try:
            for part in _parts(self._index.segmentations[annotation]):
                combine(mask, decode_segmentation(part, *mask.shape), out=mask)
        except DatasetError as error:
            raise DatasetError(
                f"Annotation {annotation} of {self._index.instances}: {error}"
            ) from error

    def _mask_problems(self, annotation: int, image: CocoImage) -> Iterator[Problem]:
        mask = np.zeros((image.height, image.width), np.uint8)
        try:
            self._draw(annotation, mask)
        except DatasetError as error:
            yield Problem("error", self._index.instances, str(error))
            return
        if not mask.any():
            message = (
                f"annotation {annotation} of {image.file_name} covers no pixel; remove its ref"
            )
            yield Problem("warning", self._index.instances, message)


def _parts(stored: object) -> list[object]:
    """Polygons and run lengths of an object, each for itself.

    refCLEF has lists of run lengths. An empty list is an empty mask, as upstream reads it.
    """
    if not isinstance(stored, list):
        return [stored]
    return [[part] if isinstance(part, list) else part for part in stored]


def _sentence_problems(sentence: str, where: str, path: Path) -> Iterator[Problem]:
    if not sentence.strip():
        yield Problem("warning", path, f"{where} is empty, so it is not asked")
        return
    try:
        checked_text(sentence, where)
    except DatasetError as error:
        yield Problem("error", path, str(error))


def open_refer(
    refer_seg: Path,
    kind: str,
    split_by: str,
    split: str,
    max_questions: int = QUESTIONS_PER_IMAGE,
    upstream_compat: bool = False,
) -> ReferringSet:
    """Open a split of refcoco, refcoco+, refcocog or refclef.

    refer_seg: the folder that holds the sets and `images`. split_by: who made the splits ("unc",
    "google", "umd", "berkeley"). split: its exact name: "test" is not "testA". max_questions:
    `sentences_per_image`.

    Raises:
        DatasetError: a file is missing or malformed, or there is no such split.

    """
    refs = refs_file(refer_seg / kind, split_by)
    name = f"{kind}|{split_by}|{split}"
    return open_split(refer_seg, name, refs, max_questions, upstream_compat)


def open_split(
    refer_seg: Path, name: str, refs: Path, max_questions: int, upstream_compat: bool
) -> ReferringSet:
    """Open the split that `name`, "kind|split_by|split", means, with its file of refs.

    Raises:
        DatasetError: a file is missing or malformed, or there is no such split.

    """
    kind, _, split = name.split("|")
    index = read_refer_index(refer_seg / kind / "instances.json", refs, split)
    images = refer_seg / IMAGE_FOLDERS[kind]
    return ReferringSet(
        name,
        index,
        images,
        sentences_per_image=max_questions,
        upstream_compat=upstream_compat,
    )
