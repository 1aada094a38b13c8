"""Masks by decoding the `[SEG]` embedding of the answer again on each frame, without the LLM."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from lisa_ros.errors import ModelError
from lisa_ros.geometry.splitting import split_mask
from lisa_ros.inference.segmenter import Segmenter
from lisa_ros.tracking.gates import centre_of, overlap
from lisa_ros.tracking.tracker import Lost, Seed, Sighting
from lisa_ros.types import BoolArray, Float32Array, RgbdFrame

# A decoded mask in more parts than these is noise.
_MAX_PARTS = 32


class RedecodeSource:
    """A `MaskSource` that keeps nothing but embeddings and the last masks.

    Costs one SAM encoding a frame and one mask decoding for each embedding. An embedding says what
    is meant, not which one: the decoded mask is split as those of answers are, and a target is the
    part that lies best on its last mask, else the nearest.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        """Decode with `segmenter`. Raises ModelError for a backend that cannot decode again."""
        if not segmenter.capabilities.supports_redecode:
            raise ModelError(
                f"The model {segmenter.capabilities.name!r} cannot decode an embedding again; "
                "follow with tracker sam2, or switch following off."
            )
        self._segmenter = segmenter
        self._embeddings: Float32Array = np.zeros((0, 0), np.float32)
        self._targets_of: list[list[int]] = []
        self._last: dict[int, BoolArray] = {}

    def start(self, frame: RgbdFrame, seeds: Sequence[Seed]) -> None:
        """As `MaskSource.start`; nothing is computed."""
        self._last = {seed.target_id: seed.mask for seed in seeds}
        by_embedding: dict[bytes, list[Seed]] = {}
        for seed in seeds:
            by_embedding.setdefault(seed.seg_embedding.tobytes(), []).append(seed)
        groups = list(by_embedding.values())
        self._embeddings = np.stack([group[0].seg_embedding for group in groups])
        self._targets_of = [[seed.target_id for seed in group] for group in groups]

    def propose(self, frame: RgbdFrame) -> dict[int, list[Sighting]]:
        """As `MaskSource.propose`; one mask at most for each target."""
        masks, scores = self._segmenter.decode(frame.image, self._embeddings)
        proposals = {}
        for mask, score, targets in zip(masks, scores, self._targets_of, strict=True):
            parts = split_mask(mask, frame.depth_m, frame.intrinsics, max_parts=_MAX_PARTS)
            for target_id, part in self._assigned(parts, targets):
                proposals[target_id] = [Sighting(part, float(score))]
        return proposals

    def settle(self, found: Mapping[int, Sighting | Lost]) -> None:
        """As `MaskSource.settle`."""
        for target_id, sighting in found.items():
            if isinstance(sighting, Sighting):
                self._last[target_id] = sighting.mask

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


def _mismatch(part: BoolArray, last: BoolArray) -> tuple[float, float]:
    """Return what to sort by: minus the overlap, then how far apart the centres are, px."""
    return -overlap(part, last), math.dist(centre_of(part), centre_of(last))
