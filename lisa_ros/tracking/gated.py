"""A tracker from any source of masks: the source proposes, the gates decide."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from lisa_ros.errors import MaskError
from lisa_ros.tracking.appearance import colours_of, likeness
from lisa_ros.tracking.gates import GateLimits, TargetMemory, overlap
from lisa_ros.tracking.tracker import Lost, Seed, Sighting
from lisa_ros.types import BoolArray, RgbdFrame

# Above this IoU two targets would be one and the same thing.
_SAME_THING = 0.5
# What a metre away costs a mask that is to be named after a target, in likeness.
_PER_METRE = 0.25
_MAX_ID = 254


class MaskSource(Protocol):
    """Proposes masks; knows nothing of gates."""

    def start(self, frame: RgbdFrame, seeds: Sequence[Seed]) -> None:
        """Follow these from now on; they have been checked."""
        ...

    def propose(self, frame: RgbdFrame) -> Mapping[int, Iterable[Sighting]]:
        """Return for each id what it may be on this frame, best first, possibly nothing.

        An iterable may do its work when it is asked: what comes after the first that is believed is
        never asked for. The frame has the size of the seeds' masks.
        """
        ...

    def settle(self, found: Mapping[int, Sighting | Lost]) -> None:
        """Take note of what was believed: for each id one of the proposals, or that it is lost."""
        ...


class GatedTracker:
    """A `Tracker`: what the source proposes, as far as it passes the gates."""

    def __init__(self, source: MaskSource, limits: GateLimits | None = None) -> None:
        self._source = source
        self._limits = limits or GateLimits()
        self._memories: dict[int, TargetMemory] = {}
        self._image_hw: tuple[int, ...] = ()

    def start(self, frame: RgbdFrame, seeds: Sequence[Seed]) -> None:
        """As `Tracker.start`."""
        _check_seeds(frame, seeds)
        # Nothing is followed, rather than something half, if the source fails.
        self._memories = {}
        self._image_hw = frame.image.shape[:2]
        self._source.start(frame, seeds)
        self._memories = {
            seed.target_id: TargetMemory(frame, seed.mask, self._limits) for seed in seeds
        }

    def update(self, frame: RgbdFrame) -> dict[int, Sighting | Lost]:
        """As `Tracker.update`."""
        if frame.image.shape[:2] != self._image_hw:
            return dict.fromkeys(self._memories, Lost(self._resized(frame)))
        for memory in self._memories.values():
            memory.keep_time(frame.stamp_ns)
        proposals = self._source.propose(frame)
        found: dict[int, Sighting | Lost] = {}
        for target_id, memory in self._memories.items():
            found[target_id] = self._judge(frame, memory, proposals.get(target_id, ()), found)
        self._source.settle(found)
        for target_id, sighting in found.items():
            if isinstance(sighting, Sighting):
                self._memories[target_id].remember(frame, sighting.mask)
            else:
                self._memories[target_id].miss(frame)
        return found

    def identify(self, frame: RgbdFrame, masks: Sequence[BoolArray]) -> list[int]:
        """As `Tracker.identify`; of two that resemble one target, the more alike has its id."""
        claims = [
            (claim, index, target_id)
            for index, mask in enumerate(masks)
            if mask.any()
            for target_id, memory in self._memories.items()
            if (claim := self._claim(frame, mask, memory)) is not None
        ]
        named: dict[int, int] = {}
        for _, index, target_id in sorted(claims, reverse=True):
            if index not in named and target_id not in named.values():
                named[index] = target_id
        fresh = (i for i in itertools.count(1) if i not in self._memories)
        ids = [named[index] if index in named else next(fresh) for index in range(len(masks))]
        if max(ids, default=0) > _MAX_ID:
            raise MaskError(f"Got {len(masks)} masks; ids end at {_MAX_ID}. Lower max_targets.")
        return ids

    def _judge(
        self,
        frame: RgbdFrame,
        memory: TargetMemory,
        proposed: Iterable[Sighting],
        found: Mapping[int, Sighting | Lost],
    ) -> Sighting | Lost:
        reason = None
        for sighting in proposed:
            refusal = memory.refusal(frame, sighting.mask) or _taken(sighting, found)
            if refusal is None:
                return sighting
            # The best proposal's reason is the one to tell.
            reason = reason or refusal
        return Lost(reason or "nothing of it is to be seen")

    def _claim(self, frame: RgbdFrame, mask: BoolArray, memory: TargetMemory) -> float | None:
        """Return how strongly a mask claims to be a target; None if it does not look like it."""
        alike = likeness(colours_of(frame.image, mask), memory.colours)
        if alike < self._limits.min_likeness:
            return None
        return alike - _PER_METRE * (memory.distance_m(frame, mask) or 0.0)

    def _resized(self, frame: RgbdFrame) -> str:
        height, width = frame.image.shape[:2]
        return (
            f"the images changed from {self._image_hw[1]}x{self._image_hw[0]} to {width}x{height} "
            "pixels"
        )


def _taken(sighting: Sighting, found: Mapping[int, Sighting | Lost]) -> str | None:
    for target_id, other in found.items():
        if isinstance(other, Sighting) and overlap(sighting.mask, other.mask) > _SAME_THING:
            return f"what is there is followed as target {target_id}"
    return None


def _check_seeds(frame: RgbdFrame, seeds: Sequence[Seed]) -> None:
    ids = [seed.target_id for seed in seeds]
    if not ids or len(set(ids)) != len(ids):
        raise MaskError(f"Got targets with ids {ids}; expected at least one, and no id twice.")
    for seed in seeds:
        if seed.mask.shape != frame.image.shape[:2] or not seed.mask.any():
            raise MaskError(
                f"Got a mask of shape {seed.mask.shape} with {int(seed.mask.sum())} pixels for "
                f"target {seed.target_id}; expected {frame.image.shape[:2]} as its image has, and "
                "not an empty one."
            )
