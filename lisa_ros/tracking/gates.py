"""Whether a mask on a new frame is the target: overlap, appearance and continuity in space.

A decoder always decodes something, flow carries any mask anywhere, and a video model that lost its
object may mark the whole image. So every mask is judged by what is known of its target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lisa_ros.geometry import pixel_rays
from lisa_ros.tracking.appearance import colours_of, likeness
from lisa_ros.types import BoolArray, Float64Array, RgbdFrame

# Fewer measured pixels than these are no position.
_MIN_MEASURED_PX = 10
# How much of the newest look goes into what is known: light changes slowly, drift is slower still.
_LEARNING_RATE = 0.05


@dataclass(frozen=True)
class GateLimits:
    """What is still the same target.

    min_px: pixels of its mask. min_overlap: IoU of its mask with the last one, or with the fullest
    of the last fullest_s, when both are laid on one centre: a moving camera displaces everything,
    but does not change sizes and shapes at once; what hid a part of it may go at once.
    min_likeness: of its colours with those known (`appearance.likeness`). max_speed_m_s: of its
    position relative to the camera. slack_m: added to the way that this allows, for noise and for
    the parts that come into view and go. max_speed_per_s, slack: the same without depth, in widths
    of the image. memory_s: after that long out of sight, size and shape are no longer compared, and
    neither does the way that it may have gone exclude much. likeness_after_loss: takes their place,
    for a target that was looked for in vain that long: a decoder proposes something on every frame,
    and a wrong one that is believed would end the asking for the right one. min_size_after_loss: of
    its fullest size (see fullest_s; in metres where there is depth), for a target that was looked
    for in vain at all: what a decoder marks in its absence is mostly a bit of something alike.
    """

    min_px: int = 12
    min_overlap: float = 0.3
    min_likeness: float = 0.5
    max_speed_m_s: float = 1.5
    slack_m: float = 0.06
    max_speed_per_s: float = 1.0
    slack: float = 0.05
    memory_s: float = 1.0
    likeness_after_loss: float = 0.75
    min_size_after_loss: float = 0.4
    fullest_s: float = 5.0


class TargetMemory:
    """What is known of one target: its last and its fullest mask, its place and its colours."""

    def __init__(self, frame: RgbdFrame, mask: BoolArray, limits: GateLimits) -> None:
        """Begin with a mask bool[H,W] that is not empty."""
        self._limits = limits
        self.colours = colours_of(frame.image, mask)
        self._lost_ns: int | None = None  # since when it is looked for in vain
        self._mask, self._stamp_ns = mask, frame.stamp_ns
        self._position = surface_point(frame, mask)
        self._fullest, self._fullest_ns = mask, frame.stamp_ns
        self._fullest_position = self._position

    def refusal(self, frame: RgbdFrame, mask: BoolArray) -> str | None:
        """Return why this mask is not the target, or None if it may be."""
        limits = self._limits
        if np.count_nonzero(mask) < limits.min_px:
            return "nothing of it is to be seen"
        elapsed_s = max(0.0, (frame.stamp_ns - self._stamp_ns) / 1e9)
        if elapsed_s <= limits.memory_s:
            known = (self._mask, self._fullest)
            best = max(_centred_overlap(mask, other) for other in known)
            if best < limits.min_overlap:
                return (
                    f"its size or shape changed at once (overlap {best:.2f}, at least "
                    f"{limits.min_overlap:.2f} is needed)"
                )
        if self._lost_ns is not None:
            share = self._share_of_fullest(frame, mask)
            if share < limits.min_size_after_loss:
                return (
                    f"what is there is small for it ({share:.2f} of its size, at least "
                    f"{limits.min_size_after_loss:.2f} are needed to find it again)"
                )
        alike = likeness(colours_of(frame.image, mask), self.colours)
        needed = self._needed_likeness(frame)
        if alike < needed:
            return (
                f"what is there has other colours (likeness {alike:.2f}, at least {needed:.2f} is "
                "needed)"
            )
        return self._jump(frame, mask, elapsed_s)

    def keep_time(self, now_ns: int) -> None:
        """Count from now where time has gone back, as it does when a bag is played in a loop.

        Else no time would pass until it is again as late as when the target was last seen.
        """
        self._stamp_ns = min(self._stamp_ns, now_ns)
        self._fullest_ns = min(self._fullest_ns, now_ns)
        if self._lost_ns is not None:
            self._lost_ns = min(self._lost_ns, now_ns)

    def miss(self, frame: RgbdFrame) -> None:
        """Take note that the target was looked for on a frame, in vain."""
        if self._lost_ns is None:
            self._lost_ns = frame.stamp_ns

    def remember(self, frame: RgbdFrame, mask: BoolArray) -> None:
        """Learn from a mask that is the target."""
        self.colours += _LEARNING_RATE * (colours_of(frame.image, mask) - self.colours)
        self._remember_place(frame, mask)
        outdated = frame.stamp_ns - self._fullest_ns > self._limits.fullest_s * 1e9
        if outdated or np.count_nonzero(mask) >= np.count_nonzero(self._fullest):
            self._fullest, self._fullest_ns = mask, frame.stamp_ns
            self._fullest_position = self._position

    def distance_m(self, frame: RgbdFrame, mask: BoolArray) -> float | None:
        """Return how far a mask is from where the target was last; None without depth."""
        position = surface_point(frame, mask)
        if position is None or self._position is None:
            return None
        return float(np.linalg.norm(position - self._position))

    def _needed_likeness(self, frame: RgbdFrame) -> float:
        # Not the time since it was seen: a model that takes seconds for a frame has not lost it.
        limits = self._limits
        if self._lost_ns is None or frame.stamp_ns - self._lost_ns <= limits.memory_s * 1e9:
            return limits.min_likeness
        return limits.likeness_after_loss

    def _share_of_fullest(self, frame: RgbdFrame, mask: BoolArray) -> float:
        share = np.count_nonzero(mask) / np.count_nonzero(self._fullest)
        position = surface_point(frame, mask)
        if position is None or self._fullest_position is None:
            return share
        return share * float(position[2] / self._fullest_position[2]) ** 2

    def _remember_place(self, frame: RgbdFrame, mask: BoolArray) -> None:
        self._lost_ns = None
        self._mask = mask
        self._stamp_ns = frame.stamp_ns
        self._position = surface_point(frame, mask)

    def _jump(self, frame: RgbdFrame, mask: BoolArray, elapsed_s: float) -> str | None:
        limits = self._limits
        distance_m = self.distance_m(frame, mask)
        if distance_m is not None:
            reach_m = limits.slack_m + limits.max_speed_m_s * elapsed_s
            if distance_m <= reach_m:
                return None
            return (
                f"it would have jumped {distance_m:.2f} m in {elapsed_s:.2f} s; up to "
                f"{reach_m:.2f} m are believed"
            )
        width = mask.shape[1]
        way = math.dist(centre_of(mask), centre_of(self._mask)) / width
        reach = limits.slack + limits.max_speed_per_s * elapsed_s
        if way <= reach:
            return None
        return (
            f"it would have jumped {way * width:.0f} px in {elapsed_s:.2f} s; up to "
            f"{reach * width:.0f} px are believed"
        )


def surface_point(frame: RgbdFrame, mask: BoolArray) -> Float64Array | None:
    """Return the per-axis median f64[3] m of the mask's measured pixels, in the optical frame.

    Unfiltered, hence only for comparing frames with each other; `lift_mask` gives positions. None
    where too little is measured.
    """
    if frame.depth_m is None or frame.intrinsics is None:
        return None
    v, u = np.nonzero(mask)
    z = frame.depth_m[v, u].astype(np.float64)
    rays = pixel_rays(frame.intrinsics, u, v) if frame.rays is None else frame.rays[v, u]
    # An unrectified camera has pixels without a ray; they are NaN.
    good = np.isfinite(z) & (z > 0) & np.isfinite(rays).all(axis=1)
    if np.count_nonzero(good) < _MIN_MEASURED_PX:
        return None
    points = np.column_stack([rays * z[:, None], z])[good]
    middle: Float64Array = np.median(points, axis=0)
    return middle


def overlap(first: BoolArray, second: BoolArray) -> float:
    """Return the IoU of two masks of one size; 0 for two empty ones."""
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 0.0


def centre_of(mask: BoolArray) -> tuple[float, float]:
    """Return the mean (u, v), px, of a mask that is not empty."""
    v, u = np.nonzero(mask)
    return float(u.mean()), float(v.mean())


def _centred_overlap(first: BoolArray, second: BoolArray) -> float:
    """Return the IoU of two masks that are not empty, each shifted to the centre of its pixels."""
    size = [2 * max(a, b) + 3 for a, b in zip(_extent(first), _extent(second), strict=True)]
    return overlap(_centred(first, size), _centred(second, size))


def _centred(mask: BoolArray, size: list[int]) -> BoolArray:
    v, u = np.nonzero(mask)
    canvas = np.zeros(size, np.bool_)
    canvas[v - round(v.mean()) + size[0] // 2, u - round(u.mean()) + size[1] // 2] = True
    return canvas


def _extent(mask: BoolArray) -> tuple[int, int]:
    v, u = np.nonzero(mask)
    return int(np.ptp(v)) + 1, int(np.ptp(u)) + 1
