"""Go through an evaluation set, image by image, and write down what the model answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from lisa_ros.errors import ConfigurationError, DatasetError
from lisa_ros.inference.segmenter import EncodedImage, Segmenter
from training.data.sample import NothingToAskError
from training.evaluation.asked import Asked, AskedImage, EvaluationSet
from training.evaluation.asking import Answered, Protocol, answered, check_never_rejects
from training.evaluation.attribution import HIT_IOU, Oracle, attributed
from training.evaluation.record import Miss, Record, in_order
from training.evaluation.target_error import target_error_m
from training.metrics import mask_iou, pixel_counts
from training.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Examiner:
    """A model, how it is asked, and who says why it misses (None: nobody)."""

    segmenter: Segmenter
    protocols: tuple[Protocol, ...]
    oracle: Oracle | None = None

    def __post_init__(self) -> None:
        """Raise ConfigurationError for a segmenter that rejects, or without a protocol."""
        check_never_rejects(self.segmenter)
        if not self.protocols:
            raise ConfigurationError("No protocol was given; ask prompted, generated or both.")

    def records(self, dataset: str, index: int, image: AskedImage) -> Iterator[Record]:
        """Ask everything that is asked about an image, in every protocol."""
        encoded = self.segmenter.encode_image(image.pixels)
        for number, asked in enumerate(image.questions):
            if asked.truth.shape != image.pixels.shape[:2]:
                raise DatasetError(
                    f"The true mask of question {number} about {image.name} of {dataset} has shape "
                    f"{asked.truth.shape}, its image {image.pixels.shape[:2]}. Annotate the image "
                    "as it is stored."
                )
            for protocol in self.protocols:
                answer = answered(self.segmenter, encoded, asked, protocol)
                yield _record(
                    dataset,
                    index,
                    number,
                    protocol,
                    image,
                    answer,
                    self._miss(encoded, asked, answer),
                )

    def _miss(self, encoded: EncodedImage, asked: Asked, answer: Answered) -> Miss | None:
        iou = mask_iou(*pixel_counts(answer.predicted, asked.truth))
        if self.oracle is None or not asked.present or iou >= HIT_IOU:
            return None
        return attributed(encoded, asked.truth, self.oracle)


def evaluate_set(
    examiner: Examiner,
    evaluation_set: EvaluationSet,
    *,
    at_most: int | None = None,
    ranks: Ranks = ALONE,
) -> list[Record]:
    """Ask about a set and return the records of all ranks in order, on every rank.

    at_most: only so many images, evenly spread over the set. Each rank takes every n-th image and
    holds one at a time.

    Raises:
        DatasetError: nothing is asked at all, a file is missing or malformed.
        ModelError: the model answers with what is no number or no mask.

    """
    chosen = spread(len(evaluation_set), at_most)
    mine = chosen[ranks.rank :: ranks.world]
    found: list[Record] = []
    for index in tqdm(mine, desc=evaluation_set.name, unit="image", disable=not ranks.first):
        try:
            image = evaluation_set.image(index)
        except NothingToAskError:
            continue
        found += examiner.records(evaluation_set.name, index, image)
    records = in_order(ranks.gather(found))
    if not records:
        raise DatasetError(
            f"{evaluation_set.name} asks nothing: {len(chosen)} images, no question. Choose a "
            "split with annotations."
        )
    return records


def spread(count: int, at_most: int | None) -> Sequence[int]:
    """Indices below `count`: all, or `at_most` of them at equal distances.

    Raises:
        ConfigurationError: at_most is below 1.

    """
    if at_most is None or at_most >= count:
        return range(count)
    if at_most < 1:
        raise ConfigurationError(f"{at_most} images were asked for; at least one is needed.")
    return [int(index) for index in np.arange(at_most) * count // at_most]


def _record(
    dataset: str,
    index: int,
    number: int,
    protocol: Protocol,
    image: AskedImage,
    answer: Answered,
    miss: Miss | None,
) -> Record:
    asked = image.questions[number]
    intersection, union = pixel_counts(answer.predicted, asked.truth)
    target = asked.target
    error = None
    if image.depth is not None and asked.present:
        error = target_error_m(answer.predicted, target, image.depth)
    return Record(
        dataset=dataset,
        mode=protocol.mode,
        index=index,
        image=image.name,
        number=number,
        width_px=image.pixels.shape[1],
        height_px=image.pixels.shape[0],
        form=asked.form,
        source=asked.source,
        question=asked.text,
        answer=answer.text,
        masks=answer.n_masks,
        target_px=int(np.count_nonzero(target)),
        predicted_px=int(np.count_nonzero(answer.predicted)),
        intersection=intersection,
        union=union,
        seg_probability=answer.seg_probability,
        target_error_m=error,
        miss=miss,
    )
