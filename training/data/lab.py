"""A lab's own recordings as training data; the format is `lisa_ros.recordings`'s."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.model.prompts import REFUSAL
from lisa_ros.recordings.annotation import Annotation, Query
from lisa_ros.recordings.dataset_folder import open_dataset
from lisa_ros.recordings.explanations import Explanation, read_explanations
from lisa_ros.recordings.image_files import UPRIGHT
from lisa_ros.recordings.polygon_mask import TARGET
from lisa_ros.recordings.sample import read_annotation
from lisa_ros.recordings.validation import folder_findings, measure
from lisa_ros.types import UInt8Array
from training.data.explained import answered, draw_style
from training.data.image_file import checked_size, orientation
from training.data.phrasing import (
    QUESTIONS_PER_IMAGE,
    checked_text,
    drawn,
    phrase_question,
    sentence_question,
    validation_turn,
)
from training.data.sample import NothingToAskError, Problem, Sample, Turn

EXPLAINED_SPLIT = "train"


class _Asked(NamedTuple):
    """One wording of a query, and the explanation of its answer, if there is one."""

    text: str
    query: Query
    explanation: str | None


class LabDataset:
    """The samples of one split of a lab dataset, or of all, in the order of the lists.

    split: "train", "val" or "test"; None: all samples on disk, sorted, listed or not.
    texts_per_image: how many wordings, over all queries of an image, are asked at most, each in its
    own conversation. Explanations are read for train and for all: as in ReasonSeg, of the questions
    that have one reason_only_share are answered by it alone, and half of the others by a mask with
    it; None leaves explanations out. What is not there is refused, without a mask.
    """

    def __init__(
        self,
        folder: Path,
        split: str | None = "train",
        *,
        texts_per_image: int = QUESTIONS_PER_IMAGE,
        reason_only_share: float | None = 0.1,
    ) -> None:
        """Read the lists and the explanations.

        Raises:
            DatasetError: no lab dataset, no sample in the split, or malformed lists.

        """
        self._folder, self._split = open_dataset(folder), split
        if split is None:
            where, self._stems = folder / "samples", self._folder.stored_stems()
        else:
            where = self._folder.split_path(split)
            self._stems = self._folder.split_stems(split)
        if not self._stems:
            raise DatasetError(
                f"{where} has no sample. Record and annotate some, and list them in splits/."
            )
        self._texts_per_image = texts_per_image
        self._reason_only_share = reason_only_share or 0.0
        explained = reason_only_share is not None and split in (None, EXPLAINED_SPLIT)
        self._explanations = _by_stem(read_explanations(self._folder)) if explained else {}

    @property
    def name(self) -> str:
        """Such as "kitchen|train"."""
        return f"{self._folder.about.name}|{self._split or 'all'}"

    def __len__(self) -> int:
        return len(self._stems)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Ask with up to `texts_per_image` of the wordings; ignored pixels count as background.

        Raises:
            DatasetError: the image or its annotation is missing or malformed; names the file.
            NothingToAskError: it is a robot's own answer that nobody has reviewed: a model must not
                learn what it thinks, nor be measured by it.

        """
        image, annotation = self._read(index)
        asked = self._wordings(index, annotation)
        turns, masks = [], []
        for choice in drawn(len(asked), self._texts_per_image, rng):
            turn, masked = self._turn(asked[choice], rng)
            turns.append((turn,))
            if masked:
                masks.append(annotation.mask(asked[choice].query) == TARGET)
        return Sample(self.name, image, tuple(turns), _stacked(masks, annotation))

    def validation_sample(self, index: int) -> Sample:
        """Ask every query in the published form, with its first wording.

        The masks are one a query, also where nothing is there (then it is empty); 255 is ignored.

        Raises:
            DatasetError: the image or its annotation is missing or malformed; names the file.
            NothingToAskError: nobody has reviewed it.

        """
        image, annotation = self._read(index)
        conversations = tuple(
            (validation_turn(_checked(query.texts[0], annotation), query.is_sentence),)
            for query in annotation.asked
        )
        masks = [annotation.mask(query) for query in annotation.asked]
        return Sample(self.name, image, conversations, _stacked(masks, annotation))

    def counts(self) -> Mapping[str, int]:
        """Images, queries, those without a target, texts, target shapes, images with depth, ...

        Raises:
            DatasetError: an annotation is missing or malformed; names the file.

        """
        total: Counter[str] = Counter(images=len(self))
        for stem in self._stems:
            annotation = read_annotation(self._folder, stem)
            total["queries"] += len(annotation.asked)
            total["queries without target"] += sum(q.no_target for q in annotation.asked)
            total["texts"] += sum(len(query.texts) for query in annotation.asked)
            total["targets"] += sum(shape.is_target for shape in annotation.shapes)
            total["images with depth"] += self._folder.sample_paths(stem).depth.exists()
            total["explanations"] += len(self._explanations.get(stem, ()))
            if annotation.awaits_review:
                total["not reviewed"] += 1
        return dict(total)

    def measured(self) -> Mapping[str, int]:
        """What takes drawing every mask and decoding every depth image; see `measure`."""
        return measure(self._folder, self._stems)

    def problems(self) -> Iterator[Problem]:
        """Check the whole dataset, all splits: a leak is between two of them."""
        for finding in folder_findings(self._folder):
            yield Problem(*finding)

    def _read(self, index: int) -> tuple[Path, Annotation]:
        stem = self._stems[index]
        annotation = read_annotation(self._folder, stem)
        if annotation.awaits_review:
            raise NothingToAskError(f"{annotation.where} has not been reviewed yet.")
        image = self._folder.sample_paths(stem).image
        checked_size(image, (annotation.height, annotation.width))
        way = orientation(image)
        if way != UPRIGHT:
            raise DatasetError(
                f"{image} has EXIF orientation {way}: it may have been annotated as it is shown, "
                "not as it is stored. Turn its pixels and remove the tag."
            )
        return image, annotation

    def _wordings(self, index: int, annotation: Annotation) -> list[_Asked]:
        explained = self._explanations.get(self._stems[index], {})
        asked = []
        for query in annotation.asked:
            reasons = (explained[text] for text in query.texts if text in explained)
            reason = None if query.no_target else next(reasons, None)
            asked += [_Asked(_checked(text, annotation), query, reason) for text in query.texts]
        return asked

    def _turn(self, asked: _Asked, rng: np.random.Generator) -> tuple[Turn, bool]:
        """A turn, and whether its answer holds a mask."""
        if asked.query.no_target:
            ask = sentence_question if asked.query.is_sentence else phrase_question
            return Turn(ask(asked.text, rng), REFUSAL), False
        reason = asked.explanation
        style = draw_style(reason, self._reason_only_share, rng)
        turn = answered(asked.text, asked.query.is_sentence, style, reason, rng)
        return turn, style.has_mask


def _by_stem(explanations: tuple[Explanation, ...]) -> dict[str, dict[str, str]]:
    """Explanation by sample and wording."""
    found: dict[str, dict[str, str]] = {}
    for stem, query, text in explanations:
        checked_text(text, f"The explanation of {query!r} about {stem}")
        found.setdefault(stem, {})[query] = text
    return found


def _checked(text: str, annotation: Annotation) -> str:
    return checked_text(text, f"A text of {annotation.where}")


def _stacked(masks: list[UInt8Array] | list[np.ndarray], annotation: Annotation) -> UInt8Array:
    """u8[S,H,W], also for no masks."""
    stacked = np.zeros((len(masks), annotation.height, annotation.width), np.uint8)
    for place, mask in zip(stacked, masks, strict=True):
        place[:] = mask
    return stacked
