"""What every dataset gives: an image, conversations about it, and a mask for each `[SEG]`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DatasetError
from lisa_ros.types import UInt8Array

Int64Array = npt.NDArray[np.int64]


class Turn(NamedTuple):
    """A question without the image's placeholder, and its answer, which may hold `[SEG]`s."""

    question: str
    answer: str


Conversation = tuple[Turn, ...]


@dataclass(frozen=True)
class Taught:
    """What a simulation knows of a sample, for the temporary head of `training.target_head`.

    targets: i64[S,3], kind, colour and cell of the target of each mask. shown: i64[3,H,W], 1 + the
    same of the object at each pixel, 0 where there is none.
    """

    targets: Int64Array
    shown: Int64Array


@dataclass(frozen=True)
class Sample:
    """One image with conversations about it, none of which knows of the others.

    masks: u8[S,H,W] at the image's own size, one for each `[SEG]` of the answers, conversation by
    conversation in the order of the text; 1 is the target. S may be 0. (Upstream's referring sets
    hold 2 and more where polygons of an object overlap; `upstream_compat` of those keeps that.)
    pixels: u8[H,W,3] RGB of an image that is no file of its own but a frame of a recording; `image`
    is then a name for people, the recording's path and the frame, which cannot be opened. taught:
    of a simulation that was asked for it.
    """

    dataset: str
    image: Path
    conversations: tuple[Conversation, ...]
    masks: UInt8Array
    pixels: UInt8Array | None = None
    taught: Taught | None = None


class NothingToAskError(DatasetError):
    """Nothing is wrong with this image, but there is nothing in it to ask for: draw another.

    Only reading its labels shows that, which is too slow to do for a whole set beforehand.
    """


class Problem(NamedTuple):
    """Something wrong with a dataset on disk: where, what, and what to do about it.

    An "error" keeps a run from starting; a "warning" does not.
    """

    severity: Literal["error", "warning"]
    path: Path
    message: str


class ImageDataset(Protocol):
    """A dataset as the mixture and `python -m training.data` use it.

    Opening one reads its index only, and raises `DatasetError` where that is missing or malformed.
    """

    @property
    def name(self) -> str:
        """Such as "ade20k" or "refcoco|unc|train"."""
        ...

    def __len__(self) -> int:
        """How many images there are."""
        ...

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Draw conversations about one image; a function of the index and the generator alone.

        Raises:
            DatasetError: a file is missing or malformed; names it.
            NothingToAskError: no class, part or sentence to ask for; names the image.

        """
        ...

    def counts(self) -> Mapping[str, int]:
        """What there is of what: images, masks, sentences, classes, ..."""
        ...

    def problems(self) -> Iterator[Problem]:
        """Look at every file, and say what is wrong; slow."""
        ...
