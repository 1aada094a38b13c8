"""Random crops of training images, so that few of them are not learned by heart."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from lisa_ros.errors import ConfigurationError
from lisa_ros.types import BoolArray
from training.data.image_file import read_image
from training.data.sample import ImageDataset, Problem, Sample


class Cropped:
    """An `ImageDataset` of random parts of the images of another.

    smallest: a part has at least this share of each side, and is larger where the targets need it:
    all masks of a sample stay whole, so that what was asked for is still there, and nothing comes
    in that was not. A sample without a mask is left as it is: its text may be about all of it.
    """

    def __init__(self, dataset: ImageDataset, smallest: float) -> None:
        self._dataset, self._smallest = dataset, smallest

    @property
    def name(self) -> str:
        """That of the other dataset."""
        return self._dataset.name

    def __len__(self) -> int:
        return len(self._dataset)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """A part of an image, another one each time.

        Raises:
            ConfigurationError: the sample is for a `TargetHead`, which is taught of whole images.
            DatasetError: see the other dataset, and `read_image`.

        """
        sample = self._dataset.sample(index, rng)
        if sample.taught is not None:
            raise ConfigurationError(
                f"{self.name} cannot be `taught` of random parts; leave out one of `taught` and "
                "`crops`."
            )
        targets = sample.masks.max(0, initial=0) > 0
        if not targets.any():
            return sample
        share = rng.uniform(self._smallest, 1)
        part = tuple(_window(np.any(targets, axis=1 - axis), share, rng) for axis in (0, 1))
        return dataclasses.replace(
            sample,
            masks=np.ascontiguousarray(sample.masks[:, *part]),
            pixels=np.ascontiguousarray(read_image(sample)[part]),
        )

    def counts(self) -> Mapping[str, int]:
        """Of the other dataset."""
        return self._dataset.counts()

    def problems(self) -> Iterator[Problem]:
        """Those of the other dataset."""
        yield from self._dataset.problems()


def _window(needed: BoolArray, share: float, rng: np.random.Generator) -> slice:
    """A random stretch of an axis, so large a share of it at least, that holds all that is needed.

    needed: bool[N], somewhere true.
    """
    places = np.flatnonzero(needed)
    first, last = int(places[0]), int(places[-1]) + 1
    size = max(round(len(needed) * share), last - first)
    start = int(rng.integers(max(0, last - size), min(first, len(needed) - size) + 1))
    return slice(start, start + size)
