"""Held-out sets while training: which state is the best, and whether anything is forgotten."""

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
    """gIoU and cIoU over all masks of something that is there; None where a set has no masks.

    answer_loss: mean cross-entropy of an image's answers, averaged over the images.
    """

    giou: float | None
    ciou: float | None
    answer_loss: float

    def told(self, name: str = "") -> dict[str, float]:
        """What there is of it, by name, behind the name of the set."""
        return {f"{name}{k}": v for k, v in self._asdict().items() if v is not None}


class HeldOut:
    """A held-out set, asked alike at every validation, shared out over the ranks."""

    def __init__(
        self, dataset: ImageDataset, images: int | None, collator: Collator, ranks: Ranks
    ) -> None:
        count = len(dataset) if images is None else min(images, len(dataset))
        self.indices = np.linspace(0, len(dataset) - 1, count).astype(int).tolist()
        self.dataset, self.collator, self.ranks = dataset, collator, ranks

    @torch.no_grad()
    def score(self, engine: Engine, encode: Encode) -> Score:
        """Predict every mask with the true answer in front of it, as upstream validates.

        Image by image, so that the score does not depend on the number of ranks. Each has equally
        many, as ZeRO 3 needs; an image that fills up a share is counted once.
        """
        found: dict[int, tuple[list[tuple[int, int]], float]] = {}
        for index in self._share():
            asked, sample = self._sample_from(index)
            batch = self.collator([sample]).to(engine.device)
            predicted = engine.predict(batch, *encode(batch))
            found[asked] = (_counted(predicted.masks[0], batch.masks[0]), predicted.ce.item())
        gathered = {i: c for part in self.ranks.gather_each(found) for i, c in part.items()}
        ordered = [gathered[index] for index in sorted(gathered)]
        pairs = [pair for counts, _ in ordered for pair in counts]
        loss = sum(ce for _, ce in ordered) / len(ordered)
        return Score(giou(pairs), ciou(pairs), loss)

    def _share(self) -> list[int]:
        """The images of this rank."""
        rounds = math.ceil(len(self.indices) / self.ranks.world)
        places = range(self.ranks.rank, rounds * self.ranks.world, self.ranks.world)
        return [self.indices[place % len(self.indices)] for place in places]

    def _sample_from(self, index: int) -> tuple[int, Sample]:
        """Draw from this image, or from the next one with something to ask for."""
        for candidate in range(index, index + len(self.dataset)):
            at = candidate % len(self.dataset)
            try:
                return at, self._sample(at)
            except NothingToAskError:
                continue
        raise DatasetError(f"{self.dataset.name} has nothing to ask for in any image.")

    def _sample(self, index: int) -> Sample:
        """The image as its dataset wants it validated, else as it would come in training."""
        if isinstance(self.dataset, ValidationSet):
            return self.dataset.validation_sample(index)
        return self.dataset.sample(index, np.random.default_rng([0, index]))


def _counted(predicted: Tensor, truth: Tensor) -> list[tuple[int, int]]:
    """Intersection and union of each mask that has a target."""
    pairs = zip(predicted.cpu().numpy(), truth.cpu().numpy(), strict=True)
    return [pixel_counts(ours, theirs) for ours, theirs in pairs if (theirs == TARGET).any()]
