"""The samples of a run: which of them falls to which rank at which step, read ahead by workers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from lisa_ros.errors import LisaError
from training.collate import Collator, ImageBatch
from training.data.mixture import Group, Mixture
from training.data.registry import open_dataset
from training.data.sample import ImageDataset
from training.data.variation import Varied
from training.ranks import Ranks
from training.run_config import RunConfig
from training.sources import Source, SourceGroup


def open_source(source: Source) -> ImageDataset:
    """Open the dataset that a configuration names; see `registry.open_dataset`."""
    return open_dataset(source.kind, Path(source.folder), source.split, source.options)


def open_mixture(groups: tuple[SourceGroup, ...], seed: int) -> Mixture:
    """Open every dataset of a run, varied where it is to be; see `Mixture`."""
    opened = [Group(g.name, g.weight, tuple(map(_learned, g.datasets))) for g in groups]
    return Mixture(opened, seed)


def _learned(source: Source) -> ImageDataset:
    dataset = open_source(source)
    return dataset if source.vary is None else Varied(dataset, source.vary)


def cached_names(mixture: Mixture, groups: tuple[SourceGroup, ...]) -> dict[str, int]:
    """The datasets whose features are kept, and how many images each has."""
    return {
        dataset.name: len(dataset)
        for group, wanted in zip(mixture.groups, groups, strict=True)
        for dataset, source in zip(group.datasets, wanted.datasets, strict=True)
        if source.cache
    }


class _Numbers(Dataset[int]):
    """What PyTorch's loader takes its items from."""

    def __getitem__(self, number: int) -> int:
        return number


@dataclass(frozen=True)
class _Preparer:
    """Draws samples by their numbers and makes a batch of them, in a process of the loader's.

    An error is a result: raised there, it would arrive with a traceback in its sentence.
    """

    mixture: Mixture
    collator: Collator

    def __call__(self, numbers: list[int]) -> ImageBatch | LisaError:
        try:
            return self.collator([self.mixture.sample(number) for number in numbers])
        except LisaError as error:
            return error


def micro_batches(
    mixture: Mixture, collator: Collator, config: RunConfig, ranks: Ranks, first_step: int
) -> Iterator[ImageBatch]:
    """The micro-batches of one rank from a step on, `accumulation` for each step.

    Raises:
        DatasetError: a file of a drawn image is missing or malformed.

    """
    numbers = [
        number
        for step in range(first_step, config.steps)
        for number in numbers_of_step(config, ranks, step)
    ]
    loader: DataLoader[int] = DataLoader(
        _Numbers(),
        batch_size=config.micro_batch,
        sampler=numbers,
        collate_fn=_Preparer(mixture, collator),
        num_workers=config.workers,
        generator=torch.Generator(),  # it draws when it starts, which must not move the steps' own
    )
    for prepared in loader:
        if isinstance(prepared, LisaError):
            raise prepared
        yield prepared


def numbers_of_step(config: RunConfig, ranks: Ranks, step: int) -> list[int]:
    """Which samples of the mixture a rank sees in a step.

    A step has the same samples on any number of ranks.
    """
    per_rank = config.images_per_step // ranks.world
    first = step * config.images_per_step + ranks.rank * per_rank
    return list(range(first, first + per_rank))
