"""The targets of an answer: its masks, object by object, lifted through depth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from lisa_ros.geometry import lift_mask, split_mask, transform_target
from lisa_ros.nodes.answers import FoundTarget
from lisa_ros.nodes.transforms import TargetFrame
from lisa_ros.types import (
    BoolArray,
    Float64Array,
    NoDepth,
    RgbdFrame,
    Segmentation,
    Target3D,
)


def find_targets(
    frame: RgbdFrame, segmentation: Segmentation, label: str, max_targets: int
) -> tuple[tuple[FoundTarget, ...], bool]:
    """Return at most max_targets targets in the camera's optical frame, and whether that is all.

    Each mask is split where what the camera saw is not connected (`split_mask`); the parts have the
    score of their mask, which is that of the whole outline. Masks with a higher score come first,
    and of each mask the largest part. Ids count from 1 in this order. label: the words that they
    answer.
    """
    parts: list[tuple[BoolArray, float]] = []
    for index in np.argsort(-segmentation.scores, kind="stable"):
        room = max_targets + 1 - len(parts)  # one more, to know whether there are more
        split = split_mask(
            segmentation.masks[index], frame.depth_m, frame.intrinsics, max_parts=room
        )
        parts += [(part, float(segmentation.scores[index])) for part in split]
        if len(parts) > max_targets:
            break
    targets = tuple(
        FoundTarget(target_id, mask, score, lifted(mask, frame), label)
        for target_id, (mask, score) in enumerate(parts[:max_targets], start=1)
    )
    return targets, len(parts) <= max_targets


def in_frame(
    targets: tuple[FoundTarget, ...],
    frame: RgbdFrame,
    target_frame: TargetFrame | None,
    should_stop: Callable[[], bool],
) -> tuple[tuple[FoundTarget, ...], str]:
    """Return targets of a frame where they are wanted, and the name of the frame they are in then.

    Positions, covariances, boxes and normals of the camera's optical frame become those in
    target_frame at the stamp of the image; None: they stay. Raises TransformError where nobody
    knows the way, or earlier where should_stop says so.
    """
    if target_frame is None:
        return targets, frame.frame_id
    if any(isinstance(target.lifted, Target3D) for target in targets):
        T_target_camera = target_frame.source.lookup(
            target_frame.frame_id, frame.frame_id, frame.stamp_ns, target_frame.wait_s, should_stop
        )
        targets = tuple(_moved(target, T_target_camera) for target in targets)
    return targets, target_frame.frame_id


def lifted(mask: BoolArray, frame: RgbdFrame) -> Target3D | NoDepth:
    """Return a mask bool[H,W] as a target in the camera's optical frame, or why it has no place."""
    if frame.depth_m is None or frame.intrinsics is None:
        return NoDepth("the camera gives no depth", depth_coverage=0.0, mask_px=int(mask.sum()))
    return lift_mask(mask, frame.depth_m, frame.intrinsics, rays=frame.rays)


def _moved(target: FoundTarget, T_target_camera: Float64Array) -> FoundTarget:
    if isinstance(target.lifted, NoDepth):
        return target
    return dataclasses.replace(target, lifted=transform_target(T_target_camera, target.lifted))
