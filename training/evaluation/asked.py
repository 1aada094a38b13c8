"""What evaluation asks about an image, and the sets that questions come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lisa_ros.types import BoolArray, Float32Array, Float64Array, Intrinsics, UInt8Array
from training.metrics import TARGET


@dataclass(frozen=True, eq=False)
class Asked:
    """One question and the true mask.

    text: as it is put to the model, template included. form: such as "short", "long" or "relation".
    source: where the image comes from, such as "ScanNet" or a recording. truth: u8[H,W], 1 target,
    255 ignored, else background; without a 1 nothing is there to be found.
    """

    text: str
    form: str
    source: str
    truth: UInt8Array

    @property
    def target(self) -> BoolArray:
        """bool[H,W], the pixels of what is asked for."""
        mask: BoolArray = self.truth == TARGET
        return mask

    @property
    def present(self) -> bool:
        """Whether there is something to be found."""
        return bool(np.any(self.target))


@dataclass(frozen=True, eq=False)
class Depth:
    """What lifts masks of an image.

    true_m: f32[H,W] z-depth that the true mask is lifted with, NaN where there is none. measured_m:
    the same for predicted masks, as a sensor sees it. rays: see `lift_mask`. on_grid: takes a mask
    of the image to the depth's pixels; None where those are the image's own.
    """

    true_m: Float32Array
    measured_m: Float32Array
    intrinsics: Intrinsics
    rays: Float64Array | None = None
    on_grid: Callable[[BoolArray], BoolArray] | None = None


@dataclass(frozen=True, eq=False)
class AskedImage:
    """An image with everything that is asked about it.

    name: unique in its set and the same in every run. pixels: u8[H,W,3] RGB.
    """

    name: str
    pixels: UInt8Array
    questions: tuple[Asked, ...]
    depth: Depth | None = None


class EvaluationSet(Protocol):
    """Images with questions, read one by one; the same ones in every run and for every model."""

    @property
    def name(self) -> str:
        """Such as "refcoco|unc|testA"."""
        ...

    def __len__(self) -> int:
        """How many images there are."""
        ...

    def image(self, index: int) -> AskedImage:
        """Read an image and what is asked about it.

        Raises:
            DatasetError: a file is missing or malformed; names it.
            NothingToAskError: nothing is wrong, but nothing is asked.

        """
        ...
