"""The mixture of datasets: which image of which dataset the n-th sample of a run is.

Sample n depends on the seed and on n alone, so a resumed run goes on with exactly the samples that
an uninterrupted one would have seen, on any number of ranks and workers. As upstream does, a group
of datasets is drawn by its weight, one of its datasets evenly, and an image evenly with
replacement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lisa_ros.errors import ConfigurationError, DatasetError
from training.data.sample import ImageDataset, NothingToAskError, Sample

# Images with nothing to ask for are rare; this many in a row are a broken dataset.
_TRIES = 100


@dataclass(frozen=True)
class Group:
    """Datasets that share one weight: upstream's "sem_seg", "refer_seg", "vqa", "reason_seg"."""

    name: str
    weight: float
    datasets: tuple[ImageDataset, ...]


class Mixture:
    """Draws samples from groups of datasets."""

    def __init__(self, groups: Sequence[Group], seed: int) -> None:
        if not groups:
            raise ConfigurationError("The mixture has no datasets; name at least one group.")
        for group in groups:
            if not group.weight > 0:
                raise ConfigurationError(
                    f"Group {group.name!r} has the weight {group.weight}; leave a group out rather "
                    "than giving it no weight."
                )
            empty = [dataset.name for dataset in group.datasets if not len(dataset)]
            if empty or not group.datasets:
                raise ConfigurationError(
                    f"Group {group.name!r} has nothing to draw from: "
                    f"{', '.join(empty) or 'no datasets'}."
                )
        self.groups, self.seed = tuple(groups), seed
        weights = np.array([group.weight for group in groups], dtype=np.float64)
        self._shares = weights / weights.sum()

    def sample(self, number: int) -> Sample:
        """Draw sample `number` of the run.

        Raises:
            DatasetError: a file of the drawn image is missing or malformed.

        """
        dataset, rng = self._draw(number)
        for _ in range(_TRIES):
            try:
                return dataset.sample(int(rng.integers(len(dataset))), rng)
            except NothingToAskError:
                continue
        raise DatasetError(
            f"{_TRIES} images of {dataset.name} in a row have nothing to ask for. Look at it with "
            "python -m training.data validate."
        )

    def counts(self, numbers: Iterable[int]) -> dict[str, int]:
        """How many of these samples fall to each dataset, without reading any."""
        drawn = Counter(self._draw(number)[0].name for number in numbers)
        return {d.name: drawn[d.name] for group in self.groups for d in group.datasets}

    def _draw(self, number: int) -> tuple[ImageDataset, np.random.Generator]:
        rng = np.random.default_rng([self.seed, number])
        group = self.groups[int(rng.choice(len(self.groups), p=self._shares))]
        return group.datasets[int(rng.integers(len(group.datasets)))], rng
