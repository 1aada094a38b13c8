"""Masks carried by optical flow, with the decoder asked again now and then."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lisa_ros.tracking.gates import overlap
from lisa_ros.tracking.optical_flow import Pyramid, follow_points, pyramid_of
from lisa_ros.tracking.redecode import RedecodeSource
from lisa_ros.tracking.similarity import fit_similarity
from lisa_ros.tracking.tracker import Lost, Seed, Sighting
from lisa_ros.types import BoolArray, Float64Array, RgbdFrame

_POINTS = 64
_MIN_RADIUS_PX, _MAX_RADIUS_PX = 3, 7
# Flow carries any mask anywhere: so many decodings in a row that were not believed end it.
_MAX_UNCONFIRMED = 3
# Below this IoU of the carried and the decoded mask, the next frame is decoded as well.
_AGREEMENT = 0.8


class FlowSource:
    """A `MaskSource` that moves the last mask as the points inside it move.

    A similarity (shift, turn, scale) fitted to sparse Lucas-Kanade flow; cheap beside an encoding
    by SAM, but it drifts, and does not see that its target is covered, or no longer is. So every
    `redecode_every` frames, wherever flow fails, and until both agree again, the embedding is
    decoded as well; a decoded mask that the gates believe replaces the carried one.
    """

    def __init__(self, decoder: RedecodeSource, redecode_every: int = 5) -> None:
        self._decoder = decoder
        self._redecode_every = redecode_every
        self._before = self._after = Pyramid(())
        self._tracks: dict[int, _Track] = {}
        self._frames = 0
        self._decoded: Mapping[int, Sequence[Sighting]] | None = None

    def start(self, frame: RgbdFrame, seeds: Sequence[Seed]) -> None:
        """As `MaskSource.start`."""
        self._decoder.start(frame, seeds)
        self._before = pyramid_of(frame.image)
        self._tracks = {seed.target_id: _Track(Sighting(seed.mask, 1.0)) for seed in seeds}
        self._frames = 0

    def propose(self, frame: RgbdFrame) -> dict[int, Iterator[Sighting]]:
        """As `MaskSource.propose`: the carried mask, the decoded one, or both in turn."""
        self._frames += 1
        self._decoded = None
        self._after = pyramid_of(frame.image)
        return {
            target_id: self._candidates(frame, target_id, track)
            for target_id, track in self._tracks.items()
        }

    def settle(self, found: Mapping[int, Sighting | Lost]) -> None:
        """As `MaskSource.settle`."""
        for target_id, fate in found.items():
            self._tracks[target_id].settle(fate)
        self._before = self._after
        self._decoder.settle(found)

    def _candidates(self, frame: RgbdFrame, target_id: int, track: _Track) -> Iterator[Sighting]:
        track.carried = self._carried(track.seen) if track.may_be_carried else None
        due = not track.agreed or self._frames % self._redecode_every == 0
        if track.carried is not None and not due:
            yield track.carried
        # Decoded for all targets at once, and only if one of them comes to this point.
        if self._decoded is None:
            self._decoded = self._decoder.propose(frame)
        track.was_decoded = True
        yield from self._decoded.get(target_id, ())
        if track.carried is not None and due:
            yield track.carried

    def _carried(self, last: Sighting | None) -> Sighting | None:
        if last is None:
            return None
        points = _grid_points(last.mask)
        radius_px = round(math.sqrt(np.count_nonzero(last.mask)) / 4)
        radius_px = min(max(radius_px, _MIN_RADIUS_PX), _MAX_RADIUS_PX)
        there, believed = follow_points(self._before, self._after, points, radius_px)
        motion = fit_similarity(points[believed], there[believed])
        return None if motion is None else Sighting(motion.moved(last.mask), last.score)


@dataclass
class _Track:
    """One target between two frames.

    seen: where it was last, None while lost. unconfirmed: decodings in a row that were not
    believed. agreed: whether the last decoded mask was where flow had carried it. carried,
    was_decoded: of the frame that is being looked at.
    """

    seen: Sighting | None
    unconfirmed: int = 0
    agreed: bool = True
    carried: Sighting | None = None
    was_decoded: bool = False

    @property
    def may_be_carried(self) -> bool:
        return self.unconfirmed < _MAX_UNCONFIRMED

    def settle(self, fate: Sighting | Lost) -> None:
        """Take note of which proposal was believed, if any."""
        if self.was_decoded and isinstance(fate, Sighting) and fate is not self.carried:
            self.unconfirmed = 0
            self.agreed = (
                self.carried is not None and overlap(self.carried.mask, fate.mask) > _AGREEMENT
            )
        elif self.was_decoded:
            self.unconfirmed += 1
        self.was_decoded = False
        self.seen = fate if isinstance(fate, Sighting) else None


def _grid_points(mask: BoolArray) -> Float64Array:
    """Return about `_POINTS` places f64[N,2] = (u, v) px inside a mask, on a grid."""
    step = max(1, math.isqrt(np.count_nonzero(mask) // _POINTS))
    v, u = np.nonzero(mask[step // 2 :: step, step // 2 :: step])
    return np.column_stack([u, v]).astype(np.float64) * step + step // 2
