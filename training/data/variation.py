"""Random parts of training images in other light, so that few are not learned by heart."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from lisa_ros.errors import ConfigurationError
from lisa_ros.types import BoolArray, UInt8Array
from training.config import expect
from training.data.image_file import read_image
from training.data.sample import ImageDataset, Problem, Sample


@dataclass(frozen=True)
class Variation:
    """How much images differ each time.

    crops: a part has at least this share of each side, 1 is all of it. It is larger where the
    targets need it: all masks of a sample stay whole, so that what was asked for is still there,
    and nothing comes in that was not. A sample without a mask is not cropped: its text may be about
    all of it. light: brightness, contrast and saturation are changed by up to this share; colours
    keep their names.
    """

    crops: float = 1.0
    light: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        expect(0 < self.crops <= 1, "vary: crops", self.crops, "more than 0, up to 1 (no crops)")
        expect(0 <= self.light < 1, "vary: light", self.light, "from 0 (as it is) to below 1")


class Varied:
    """An `ImageDataset` of the images of another, a variation of each every time."""

    def __init__(self, dataset: ImageDataset, variation: Variation) -> None:
        self._dataset, self._variation = dataset, variation

    @property
    def name(self) -> str:
        """That of the other dataset, and that it is varied: a run may have both."""
        return f"{self._dataset.name}, varied"

    def __len__(self) -> int:
        return len(self._dataset)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """A sample of the other dataset, varied.

        Raises:
            ConfigurationError: the sample is for a `TargetHead`, which is taught of whole images.
            DatasetError: see the other dataset, and `read_image`.

        """
        sample = self._dataset.sample(index, rng)
        if sample.taught is not None and self._variation.crops < 1:
            raise ConfigurationError(
                f"{self.name} cannot be `taught` of random parts; leave out one of `taught` and "
                "`crops`."
            )
        part = _part(sample, self._variation.crops, rng)
        pixels = np.ascontiguousarray(read_image(sample)[part])
        return dataclasses.replace(
            sample,
            dataset=self.name,  # what is kept of the other dataset's images is not of these
            masks=np.ascontiguousarray(sample.masks[:, *part]),
            pixels=_in_other_light(pixels, self._variation.light, rng),
        )

    def counts(self) -> Mapping[str, int]:
        """Of the other dataset."""
        return self._dataset.counts()

    def problems(self) -> Iterator[Problem]:
        """Those of the other dataset."""
        yield from self._dataset.problems()


def _part(sample: Sample, smallest: float, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a random part in which all targets are whole."""
    targets = sample.masks.max(0, initial=0) > 0
    if not targets.any():
        return slice(None), slice(None)
    share = rng.uniform(smallest, 1)
    rows, columns = (_window(np.any(targets, axis=1 - axis), share, rng) for axis in (0, 1))
    return rows, columns


def _window(needed: BoolArray, share: float, rng: np.random.Generator) -> slice:
    """A random stretch of an axis, so large a share of it at least, that holds all that is needed.

    needed: bool[N], somewhere true.
    """
    places = np.flatnonzero(needed)
    first, last = int(places[0]), int(places[-1]) + 1
    size = max(round(len(needed) * share), last - first)
    start = int(rng.integers(max(0, last - size), min(first, len(needed) - size) + 1))
    return slice(start, start + size)


def _in_other_light(pixels: UInt8Array, most: float, rng: np.random.Generator) -> UInt8Array:
    if not most:
        return pixels
    image = Image.fromarray(pixels)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = change(image).enhance(rng.uniform(1 - most, 1 + most))
    return np.array(image)
