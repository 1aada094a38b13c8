"""Masks by decoding the `[SEG]` embedding of the answer again on each frame, without the LLM."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lisa_ros.errors import ModelError
from lisa_ros.geometry.splitting import split_mask
from lisa_ros.inference.close_up import decode_part
from lisa_ros.inference.segmenter import Segmenter
from lisa_ros.tracking.gates import centre_of, overlap
from lisa_ros.tracking.moving_part import MovingPart
from lisa_ros.tracking.tracker import Lost, Seed, Sighting
from lisa_ros.types import BoolArray, Float32Array, PixelBox, RgbdFrame

# A decoded mask in more parts than these is noise.
_MAX_PARTS = 32


class RedecodeSource:
    """A `MaskSource` that keeps nothing but embeddings and the last masks.

    Costs one SAM encoding a frame and one mask decoding for each embedding. An embedding says what
    is meant, not which one: the decoded mask is split as those of answers are, and a target is the
    part that lies best on its last mask, else the nearest. What was decoded in a close-up is
    decoded in one again, which goes along with its targets.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        """Decode with `segmenter`. Raises ModelError for a backend that cannot decode again."""
        if not segmenter.capabilities.supports_redecode:
            raise ModelError(
                f"The model {segmenter.capabilities.name!r} cannot decode an embedding again; "
                "follow with tracker sam2, or switch following off."
            )
        self._segmenter = segmenter
        self._pictures: list[_Picture] = []
        self._last: dict[int, BoolArray] = {}
        self._in_sight: set[int] = set()  # on the last frame that showed any of them

    def start(self, frame: RgbdFrame, seeds: Sequence[Seed]) -> None:
        """As `MaskSource.start`; nothing is computed."""
        self._last = {seed.target_id: seed.mask for seed in seeds}
        self._in_sight = set(self._last)
        by_picture: dict[PixelBox | None, list[Seed]] = {}
        for seed in seeds:
            by_picture.setdefault(seed.decoded_in, []).append(seed)
        self._pictures = [_Picture.of(box, group) for box, group in by_picture.items()]

    def propose(self, frame: RgbdFrame) -> dict[int, list[Sighting]]:
        """As `MaskSource.propose`; one mask at most for each target."""
        proposals = {}
        for picture in self._pictures:
            masks, scores = self._decoded(frame, picture)
            for mask, score, targets in zip(masks, scores, picture.targets_of, strict=True):
                parts = split_mask(mask, frame.depth_m, frame.intrinsics, max_parts=_MAX_PARTS)
                for target_id, part in self._assigned(parts, targets):
                    proposals[target_id] = [Sighting(part, float(score))]
        return proposals

    def settle(self, found: Mapping[int, Sighting | Lost]) -> None:
        """As `MaskSource.settle`."""
        seen = {i: fate.mask for i, fate in found.items() if isinstance(fate, Sighting)}
        self._last.update(seen)
        self._in_sight = set(seen) or self._in_sight

    def _decoded(self, frame: RgbdFrame, picture: _Picture) -> tuple[BoolArray, Float32Array]:
        if picture.part is None:
            return self._segmenter.decode(frame.image, picture.embeddings)
        targets = picture.part.masks.keys()
        box = picture.part.around({i: self._last[i] for i in targets & self._in_sight or targets})
        return decode_part(self._segmenter, frame.image, box, picture.embeddings)

    def _assigned(
        self, parts: Sequence[BoolArray], targets: Sequence[int]
    ) -> Iterator[tuple[int, BoolArray]]:
        """Yield targets with their parts, the best pair first; no part twice."""
        pairs = sorted(
            (*_mismatch(part, self._last[target_id]), index, target_id)
            for index, part in enumerate(parts)
            for target_id in targets
        )
        taken: set[int] = set()
        served: set[int] = set()
        for _, _, index, target_id in pairs:
            if index not in taken and target_id not in served:
                taken.add(index)
                served.add(target_id)
                yield target_id, parts[index]


@dataclass(frozen=True, eq=False)
class _Picture:
    """Targets that were found in one picture, the frame or a part of it.

    part: None for the frame. embeddings: f32[S,D]. targets_of: the ids that belong to each.
    """

    part: MovingPart | None
    embeddings: Float32Array
    targets_of: list[list[int]]

    @classmethod
    def of(cls, box: PixelBox | None, seeds: Sequence[Seed]) -> _Picture:
        by_embedding: dict[bytes, list[Seed]] = {}
        for seed in seeds:
            by_embedding.setdefault(seed.seg_embedding.tobytes(), []).append(seed)
        groups = list(by_embedding.values())
        return cls(
            None if box is None else MovingPart(box, {s.target_id: s.mask for s in seeds}),
            np.stack([group[0].seg_embedding for group in groups]),
            [[seed.target_id for seed in group] for group in groups],
        )


def _mismatch(part: BoolArray, last: BoolArray) -> tuple[float, float]:
    """Return what to sort by: minus the overlap, then how far apart the centres are, px."""
    return -overlap(part, last), math.dist(centre_of(part), centre_of(last))
