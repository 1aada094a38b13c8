"""What is counted of a sequence in which a target is followed; see `benchmarks.following`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lisa_ros.geometry import lift_mask
from lisa_ros.simulation.room import MIN_TARGET_PX
from lisa_ros.tracking.gates import overlap
from lisa_ros.types import BoolArray, Float64Array, RgbdFrame, Target3D

HIT_IOU = 0.5


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame as the camera measures it. truth: the target's visible pixels, bool[H,W].

    position_m: f64[3] of the true mask on the true depth; None where too little is visible.
    """

    frame: RgbdFrame
    truth: BoolArray
    position_m: Float64Array | None


@dataclass(frozen=True, eq=False)
class Look:
    """What was said about a frame: masks bool[H,W] by id, and how long it took."""

    masks: dict[int, BoolArray]
    ms: float


@dataclass
class Figures:
    """Counts over sequences; see the module."""

    hits: int = 0
    visible: int = 0
    claims: int = 0
    hidden: int = 0
    switches: int = 0
    jitters_mm: list[float] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, float | int | None]:
        """Return the figures to print; None where there is nothing to count."""
        return {
            "found": _share(self.hits, self.visible),
            "claimed": _share(self.claims, self.hidden),
            "switches": self.switches,
            "jitter_mm": round(float(np.median(self.jitters_mm)), 2) if self.jitters_mm else None,
            "ms": round(float(np.median(self.ms)), 1) if self.ms else None,
        }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 3) if whole else None


def position_of(frame: RgbdFrame, mask: BoolArray) -> Float64Array | None:
    """Return where a mask is, f64[3] m; None without enough depth."""
    assert frame.depth_m is not None
    assert frame.intrinsics is not None
    lifted = lift_mask(mask, frame.depth_m, frame.intrinsics)
    return lifted.position if isinstance(lifted, Target3D) else None


def count(figures: Figures, shots: Sequence[Shot], looks: Sequence[Look]) -> None:
    """Add a sequence to the figures; looks: of all shots but the first."""
    id_of_target: int | None = None
    errors: list[Float64Array | None] = []
    for shot, look in zip(shots[1:], looks, strict=True):
        figures.ms.append(look.ms)
        hit = next((i for i, m in look.masks.items() if overlap(m, shot.truth) >= HIT_IOU), None)
        visible_px = np.count_nonzero(shot.truth)
        if visible_px >= MIN_TARGET_PX:
            figures.visible += 1
            figures.hits += hit is not None
        elif visible_px == 0:
            figures.hidden += 1
            figures.claims += bool(look.masks)
        errors.append(None if hit is None else _error(shot, look.masks[hit]))
        if hit is not None:
            figures.switches += id_of_target is not None and hit != id_of_target
            id_of_target = hit
    steps = [b - a for a, b in itertools.pairwise(errors) if a is not None and b is not None]
    if steps:
        figures.jitters_mm.append(1e3 * float(np.sqrt(np.mean(np.square(steps)) / 2)))


def _error(shot: Shot, mask: BoolArray) -> Float64Array | None:
    position = position_of(shot.frame, mask)
    return None if position is None or shot.position_m is None else position - shot.position_m
