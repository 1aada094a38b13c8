"""What following is about: targets of an answer, and what became of them on a later frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lisa_ros.types import BoolArray, Float32Array, PixelBox, RgbdFrame


@dataclass(frozen=True, eq=False)
class Seed:
    """One target to follow, from an answer about a frame.

    target_id: its name as long as it is followed. mask: bool[H,W] on that frame. seg_embedding:
    f32[D], what the mask was decoded from; targets that are parts of one mask have the same one.
    decoded_in: the part of the frame that it was decoded in, as `Segmentation` has it; None for the
    whole.
    """

    target_id: int
    mask: BoolArray
    seg_embedding: Float32Array
    decoded_in: PixelBox | None = None


@dataclass(frozen=True, eq=False)
class Sighting:
    """Where a target is on a frame. mask: bool[H,W]. score: the mask's stability, 0..1."""

    mask: BoolArray
    score: float


@dataclass(frozen=True)
class Lost:
    """A target was not found on a frame; `reason` says why, as a clause without a full stop."""

    reason: str


class Tracker(Protocol):
    """Carries targets from frame to frame. Use from one thread."""

    def start(self, frame: RgbdFrame, seeds: Sequence[Seed]) -> None:
        """Follow the targets of an answer about `frame`, and no others any more.

        Raises MaskError for no seed at all, for an id that is given twice and for a mask that is
        empty or not of the image's size.
        """
        ...

    def update(self, frame: RgbdFrame) -> dict[int, Sighting | Lost]:
        """Look for every target on a later frame; by id, in the order of the seeds.

        A target that is lost keeps its id and is looked for again on the next frame. Raises
        ImageError and ModelError, after which the next frame may be tried.
        """
        ...

    def identify(self, frame: RgbdFrame, masks: Sequence[BoolArray]) -> list[int]:
        """Name the masks of a new answer to the same question, each by an id of 1..254.

        A mask gets the id of the target that it resembles most, if it resembles any, else one that
        no target has.
        """
        ...
