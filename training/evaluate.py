"""Measure a checkpoint on simulated rooms: `python -m training.evaluate --model lisa-tiny --data tabletop --seed 7`.

Asks in the prompted mode, as the published protocol does. gIoU and cIoU are over the requests whose target is in
the room, before rejection; found_rate and reject_rate are what the checkpoint's threshold then makes of present
and absent ones. The last line printed is JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from lisa_ros.errors import ConfigurationError
from lisa_ros.geometry.lifting import lift_mask
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.inference.segmenter import Segmenter
from lisa_ros.simulation.language import Request, sample_requests
from lisa_ros.simulation.noise import sense_depth
from lisa_ros.simulation.room import PRESETS, Room, generate_room
from lisa_ros.types import BoolArray, Float32Array, Target3D
from training.metrics import IouMeter

REQUESTS_PER_ROOM = 8
ABSENT_SHARE = 0.25
# Evaluation draws requests from its own stream, so that they do not depend on how a room was made.
_REQUEST_STREAM = 1


@dataclass(frozen=True)
class Answer:
    """One request and what the model made of it. iou and target_error_m are None for absent requests.

    target_error_m is infinite where the mask of a present request could not be lifted.
    """

    request: Request
    seg_probability: float
    iou: float | None
    target_error_m: float | None


def main() -> None:
    """Evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="lisa-tiny", help="alias, checkpoint folder or hub id")
    parser.add_argument("--data", default="tabletop", choices=sorted(PRESETS), help="which rooms")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first room")
    parser.add_argument("--rooms", type=int, default=200)
    parser.add_argument("--phrasings", choices=("train", "unseen"), default="train")
    parser.add_argument(
        "--noise", action="store_true", help="lift through a simulated sensor's depth"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    options = parser.parse_args()
    if options.rooms < 1:
        raise ConfigurationError(f"--rooms is {options.rooms}; at least one room is needed.")
    engine = LisaEngine.from_pretrained(options.model, device=options.device, dtype=options.dtype)
    threshold = engine.capabilities.found_threshold
    meter = IouMeter()
    sizes: set[str] = set()
    answers = list(
        evaluate_rooms(
            engine,
            rooms(options.seed, options.rooms, options.data, sizes),
            options.seed,
            options.phrasings,
            options.noise,
            meter,
        )
    )
    report = summarise(answers, meter, threshold)
    print_table(answers, report)
    print(
        json.dumps(
            {
                **report,
                "image_size": sorted(sizes),
                "phrasings": options.phrasings,
                "noise": options.noise,
                "model": options.model,
                "data": options.data,
                "seed": options.seed,
                "rooms": options.rooms,
            }
        )
    )
