"""Masks of a held-out set while training: which state of a run is its best."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from lisa_ros.errors import DatasetError
from training.collate import Collator, ImageBatch
from training.data.sample import ImageDataset, NothingToAskError, Sample
from training.engine import Engine
from training.metrics import TARGET, ciou, giou, pixel_counts
from training.ranks import Ranks

Encode = Callable[[ImageBatch], tuple[Tensor, Tensor]]


@runtime_checkable
class ValidationSet(Protocol):
    """A dataset with questions of its own for validation: the published ones, always the same."""

    def validation_sample(self, index: int) -> Sample:
        """One image; masks hold 255 where pixels are ignored, and nothing for an absent target."""
        ...


class Score(NamedTuple):
    """gIoU and cIoU over all masks of something that is there."""

    giou: float
    ciou: float


class HeldOut:
    """A held-out set, asked alike at every validation, shared out over the ranks."""

    def __init__(
        self,
        dataset: ImageDataset,
        images: int | None,
        collator: Collator,
        micro_batch: int,
        ranks: Ranks,
    ) -> None:
        count = len(dataset) if images is None else min(images, len(dataset))
        self.indices = np.linspace(0, len(dataset) - 1, count).astype(int).tolist()
        self.dataset, self.collator, self.ranks = dataset, collator, ranks
        self.micro_batch = micro_batch

    @torch.no_grad()
    def score(self, engine: Engine, encode: Encode) -> Score:
        """Predict every mask with the true answer in front of it, as upstream validates.

        Every rank computes equally many batches, as ZeRO 3 needs; an image that fills up a share is
        counted once.

        Raises:
            DatasetError: no image of the set has a mask.

        """
        counts: dict[int, list[tuple[int, int]]] = {}
        for indices in self._batches():
            samples, asked = self._samples(indices)
            batch = self.collator(samples)
            sam, clip = encode(batch)
            predicted = engine.predict(batch, sam, clip)
            for index, ours, truth in zip(asked, predicted, batch.masks, strict=True):
                counts[index] = _counted(ours, truth)
        gathered = {i: c for part in self.ranks.gather_each(counts) for i, c in part.items()}
        pairs = [pair for index in sorted(gathered) for pair in gathered[index]]
        over_all, cumulative = giou(pairs), ciou(pairs)
        if over_all is None or cumulative is None:
            raise DatasetError(f"{self.dataset.name} has no mask to validate with.")
        return Score(over_all, cumulative)

    def _batches(self) -> list[list[int]]:
        """Indices of the images of this rank's batches."""
        together = self.micro_batch * self.ranks.world
        rounds = math.ceil(len(self.indices) / together)
        filled = [self.indices[i % len(self.indices)] for i in range(rounds * together)]
        starts = range(self.ranks.rank * self.micro_batch, len(filled), together)
        return [filled[start : start + self.micro_batch] for start in starts]

    def _samples(self, indices: list[int]) -> tuple[list[Sample], list[int]]:
        """Their samples, and which image each is of: the next one where one has nothing to ask."""
        samples, asked = [], []
        for index in indices:
            for candidate in range(index, index + len(self.dataset)):
                at = candidate % len(self.dataset)
                try:
                    samples.append(self._sample(at))
                except NothingToAskError:
                    continue
                asked.append(at)
                break
            else:
                raise DatasetError(f"{self.dataset.name} has nothing to ask for in any image.")
        return samples, asked

    def _sample(self, index: int) -> Sample:
        """The image as its dataset wants it validated, else as it would come in training."""
        if isinstance(self.dataset, ValidationSet):
            return self.dataset.validation_sample(index)
        return self.dataset.sample(index, np.random.default_rng([0, index]))


def _counted(predicted: Tensor, truth: Tensor) -> list[tuple[int, int]]:
    """Intersection and union of each mask that has a target."""
    pairs = zip(predicted.cpu().numpy(), truth.cpu().numpy(), strict=True)
    return [pixel_counts(ours, theirs) for ours, theirs in pairs if (theirs == TARGET).any()]
