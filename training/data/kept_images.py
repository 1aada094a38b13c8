"""A dataset without some of its images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from lisa_ros.errors import DatasetError
from training.data.sample import ImageDataset, Problem, Sample


class KeptImages:
    """An `ImageDataset` of those images of another whose indices are given, in that order."""

    def __init__(self, dataset: ImageDataset, kept: Sequence[int]) -> None:
        """Raises DatasetError where nothing is left."""
        if not len(kept):
            raise DatasetError(
                f"All {len(dataset)} images of {dataset.name} are held out for evaluation. Take "
                "it out of the mixture, or open it with the option hold_out: false."
            )
        self._dataset, self._kept = dataset, np.array(kept, np.int64)

    @property
    def name(self) -> str:
        """That of the whole dataset."""
        return self._dataset.name

    def __len__(self) -> int:
        return len(self._kept)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """As the whole dataset; see there for what is raised."""
        return self._dataset.sample(int(self._kept[index]), rng)

    def counts(self) -> Mapping[str, int]:
        """Of the whole dataset, and how many of its images are held out."""
        return {**self._dataset.counts(), "images held out": len(self._dataset) - len(self)}

    def problems(self) -> Iterator[Problem]:
        """Those of the whole dataset."""
        yield from self._dataset.problems()
