"""Ask a model about simulated rooms and compare its answers with the truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from lisa_ros.errors import ConfigurationError
from lisa_ros.geometry.lifting import lift_mask
from lisa_ros.inference.segmenter import Segmenter
from lisa_ros.simulation.noise import sense_depth
from lisa_ros.simulation.requests import Request, sample_requests
from lisa_ros.simulation.room import Room
from lisa_ros.simulation.vocabulary import Split
from lisa_ros.types import BoolArray, Float32Array, Target3D

REQUESTS_PER_ROOM = 8
ABSENT_SHARE = 0.25
# Requests and sensor noise have streams of their own, so that neither depends on how a room was
# made.
_REQUEST_STREAM, _NOISE_STREAM = 1, 2


@dataclass(frozen=True)
class Answer:
    """One request and what the model made of it, before rejection.

    intersection, union: pixels of the predicted and the true mask, 0 and 0 for an absent request.
    target_error_m: DESIGN section 4; infinite where the predicted mask could not be lifted, None
    for an absent request.
    """

    request: Request
    seg_probability: float
    intersection: int
    union: int
    target_error_m: float | None


def ask_about_rooms(
    segmenter: Segmenter, rooms: Iterable[Room], *, seed: int, split: Split, noise: bool
) -> Iterator[Answer]:
    """Put requests about each room to a model that never rejects, in the prompted mode.

    seed: of the requests and of the sensor's noise. noise: lift through a simulated sensor's depth.

    Raises:
        ConfigurationError: the segmenter has a threshold.

    """
    if segmenter.capabilities.found_threshold is not None:
        raise ConfigurationError(
            "Evaluation judges masks before rejection; give it a segmenter without found_threshold."
        )
    for room in rooms:
        rng = np.random.default_rng([seed, room.seed, _REQUEST_STREAM])
        requests = sample_requests(room, rng, REQUESTS_PER_ROOM, split, ABSENT_SHARE)
        depth_m = room.depth_m
        if noise:
            noise_rng = np.random.default_rng([seed, room.seed, _NOISE_STREAM])
            depth_m = sense_depth(room.depth_m, room.intrinsics, noise_rng)
        encoded = segmenter.encode_image(room.image)
        for request in requests:
            segmentation = segmenter.segment(encoded, request.text, mode="prompted")
            if not request.present:
                yield Answer(request, segmentation.seg_probability, 0, 0, None)
                continue
            predicted = np.logical_or.reduce(segmentation.masks, axis=0)
            truth = room.mask(request.target_ids)
            yield Answer(
                request,
                segmentation.seg_probability,
                int(np.count_nonzero(predicted & truth)),
                int(np.count_nonzero(predicted | truth)),
                target_error_m(predicted, truth, depth_m, room),
            )


def target_error_m(
    predicted: BoolArray, truth: BoolArray, sensor_depth_m: Float32Array, room: Room
) -> float | None:
    """Distance between a predicted mask's target on sensor depth and the true one on true depth.

    Infinite where the predicted mask has no target, None where the true one has none.
    """
    true = lift_mask(truth, room.depth_m, room.intrinsics)
    if not isinstance(true, Target3D):
        return None
    found = lift_mask(predicted, sensor_depth_m, room.intrinsics)
    if not isinstance(found, Target3D):
        return float("inf")
    return float(np.linalg.norm(found.position - true.position))
