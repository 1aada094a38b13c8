"""Choose the threshold between FOUND and NOT_FOUND: `python -m training.calibrate CHECKPOINT`.

The threshold is the seg_probability that maximises the mean of found_rate and reject_rate on rooms
of a validation seed; it is stored in the checkpoint's lisa.json.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lisa_ros.errors import ConfigurationError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.checkpoint import load_checkpoint, write_settings
from training.evaluate import simulated_rooms
from training.room_evaluation import ask_about_rooms


def best_threshold(present: Sequence[float], absent: Sequence[float]) -> float:
    """The threshold that maximises mean(share of present >= t, share of absent < t).

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
    score = found + rejected
    best = np.flatnonzero(np.isclose(score, score.max(), rtol=0, atol=1e-12))
    return float(middles[best[np.argmax(np.diff(values)[best])]])


def main() -> None:
    """Calibrate a checkpoint folder in place."""
    parser = argparse.ArgumentParser(
        prog="python -m training.calibrate", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", default="tabletop")
    parser.add_argument("--seed", type=int, default=500_000, help="first validation room")
    parser.add_argument("--rooms", type=int, default=200)
    options = parser.parse_args()
    loaded = load_checkpoint(options.checkpoint)
    engine = LisaEngine(loaded, found_threshold=None)
    rooms = simulated_rooms(options.seed, options.rooms, options.data)
    answers = list(ask_about_rooms(engine, rooms, seed=options.seed, split="train", noise=False))
    threshold = best_threshold(
        [a.seg_probability for a in answers if a.request.present],
        [a.seg_probability for a in answers if not a.request.present],
    )
    calibration = {"preset": options.data, "first_seed": options.seed, "rooms": options.rooms}
    settings = dataclasses.replace(
        loaded.settings,
        found_threshold=round(threshold, 4),
        provenance={**loaded.settings.provenance, "calibrated_on": calibration},
    )
    write_settings(options.checkpoint, settings)
    print(
        f"found_threshold {settings.found_threshold} is in {options.checkpoint / 'lisa.json'}. "
        f"Next: python -m training.evaluate --model {options.checkpoint}"
    )


if __name__ == "__main__":
    main()
