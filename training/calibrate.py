"""Choose the threshold between FOUND and NOT_FOUND: `python -m training.calibrate CHECKPOINT`.

Asks about rooms of a validation seed, picks the seg_probability that comes furthest above both
goals (accepting what is there, rejecting what is not), and stores it in the checkpoint's lisa.json,
together with how often an answer is right, by seg_probability: what it asks for is there, and its
mask has an IoU of one half or more.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lisa_ros.errors import ConfigurationError, LisaError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.checkpoint import load_checkpoint, write_settings
from lisa_ros.simulation.room import PRESETS
from training.arguments import positive
from training.evaluation.attribution import HIT_IOU
from training.evaluation.reliability import precision_points
from training.evaluation.room_set import simulated_rooms
from training.room_evaluation import ask_about_rooms

FOUND_GOAL, REJECT_GOAL = 0.85, 0.80


class Threshold(NamedTuple):
    """A threshold and the rates it has on the answers that it was chosen from."""

    value: float
    found_rate: float
    reject_rate: float


def best_threshold(
    present: Sequence[float],
    absent: Sequence[float],
    found_goal: float = FOUND_GOAL,
    reject_goal: float = REJECT_GOAL,
) -> Threshold:
    """Pick the threshold whose smaller margin over the two goals is largest.

    present, absent: seg_probability of requests whose target is there and is not. Of the thresholds
    that do equally well, the middle of the widest gap between two observed values.

    Raises:
        ConfigurationError: one of the two is empty.

    """
    if not present or not absent:
        raise ConfigurationError(
            f"Calibration needs present and absent requests, got {len(present)} and {len(absent)}."
        )
    values = np.unique(np.concatenate([present, absent, [0.0, 1.0]]))
    middles = (values[:-1] + values[1:]) / 2
    found = 1 - np.searchsorted(np.sort(present), middles, side="left") / len(present)
    rejected = np.searchsorted(np.sort(absent), middles, side="left") / len(absent)
    margin = np.minimum(found - found_goal, rejected - reject_goal)
    best = np.flatnonzero(np.isclose(margin, margin.max(), rtol=0, atol=1e-12))
    chosen = best[np.argmax(np.diff(values)[best])]
    return Threshold(float(middles[chosen]), float(found[chosen]), float(rejected[chosen]))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when the threshold is stored."""
    parser = argparse.ArgumentParser(
        prog="python -m training.calibrate", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("checkpoint", type=Path, help="a checkpoint folder")
    parser.add_argument("--data", default="tabletop", choices=PRESETS)
    parser.add_argument("--seed", type=int, default=2_000_000, help="first validation room")
    parser.add_argument("--rooms", type=positive, default=200)
    options = parser.parse_args(arguments)
    try:
        calibrate(options)
    except LisaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def calibrate(options: argparse.Namespace) -> None:
    """Calibrate a checkpoint folder in place.

    Raises:
        ConfigurationError: there is no such folder, or no answers of both kinds.
        LisaError: the checkpoint cannot be loaded.

    """
    if not options.checkpoint.is_dir():
        raise ConfigurationError(
            f"{options.checkpoint} is not a folder; calibration writes into it."
        )
    loaded = load_checkpoint(options.checkpoint)
    engine = LisaEngine(loaded, found_threshold=None)
    rooms = simulated_rooms(options.seed, options.rooms, options.data)
    answers = list(ask_about_rooms(engine, rooms, seed=options.seed, split="train", noise=False))
    threshold = best_threshold(
        [a.seg_probability for a in answers if a.present],
        [a.seg_probability for a in answers if not a.present],
    )
    calibration = {
        "preset": options.data,
        "room_seeds": [options.seed, options.seed + options.rooms - 1],
        "found_rate": round(threshold.found_rate, 4),
        "reject_rate": round(threshold.reject_rate, 4),
    }
    settings = dataclasses.replace(
        loaded.settings,
        found_threshold=threshold.value,
        reliability=precision_points(
            [a.seg_probability for a in answers],
            [a.present and a.iou >= HIT_IOU for a in answers],
        ),
        provenance={**loaded.settings.provenance, "calibrated_on": calibration},
    )
    write_settings(options.checkpoint, settings)
    print(
        f"found_threshold {threshold.value:.4f} (accepts {threshold.found_rate:.1%} of what is "
        f"there, rejects {threshold.reject_rate:.1%} of what is not) is in "
        f"{options.checkpoint / 'lisa.json'}. "
        f"Next: python -m training.evaluate --model {options.checkpoint}"
    )


if __name__ == "__main__":
    sys.exit(main())
