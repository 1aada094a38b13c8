"""Choose the threshold between FOUND and NOT_FOUND: `python -m training.calibrate CHECKPOINT`.

Asks about simulated rooms of a validation seed, or about lab and public sets, picks the
seg_probability that comes furthest above both goals (accepting what is there, rejecting what is
not), and stores it in the checkpoint's lisa.json, together with how often an answer is right, by
seg_probability: what it asks for is there, and its mask has an IoU of one half or more.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lisa_ros.errors import ConfigurationError, LisaError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.checkpoint import LoadedLisa, load_checkpoint, write_settings
from lisa_ros.model.prompts import INSTRUCTION_FIELD
from lisa_ros.recordings.dataset_folder import SPLITS
from lisa_ros.simulation.room import PRESETS
from training.arguments import not_negative, positive
from training.evaluation.asking import Protocol
from training.evaluation.attribution import HIT_IOU
from training.evaluation.opening import open_sets
from training.evaluation.record import Record
from training.evaluation.reliability import precision_points
from training.evaluation.room_set import refuse_trained_rooms, simulated_rooms
from training.evaluation.running import Examiner, evaluate_set
from training.room_evaluation import ask_about_rooms

FOUND_GOAL, REJECT_GOAL = 0.85, 0.80
# Of the options that choose rooms.
_ROOMS: Mapping[str, str | int] = {"data": "tabletop", "seed": 2_000_000, "rooms": 200}


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
            f"Calibration needs present and absent requests, got {len(present)} and {len(absent)}. "
            "Queries of a lab dataset without a shape are absent ones; grefcoco has some, too."
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
    rooms = parser.add_argument_group("simulated rooms, if no sets are named")
    rooms.add_argument("--data", choices=PRESETS, help=f"by default {_ROOMS['data']}")
    rooms.add_argument(
        "--seed", type=not_negative, help=f"first validation room, by default {_ROOMS['seed']}"
    )
    rooms.add_argument("--rooms", type=positive, help=f"how many, by default {_ROOMS['rooms']}")
    sets = parser.add_argument_group(
        "lab and public sets in place of rooms, asked as training.evaluate asks"
    )
    sets.add_argument("--lab", nargs="+", type=Path, default=[], metavar="DIR")
    sets.add_argument("--split", choices=SPLITS, default="val")
    sets.add_argument("--dataset-dir", type=Path, metavar="DIR", help="as upstream has it")
    sets.add_argument("--dataset", nargs="+", default=[], metavar="NAME", help="grefcoco|unc|val")
    options = parser.parse_args(arguments)
    try:
        _choose(options)
        calibrate(options)
    except LisaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _choose(options: argparse.Namespace) -> None:
    """Fill in which rooms, where no sets are named.

    Raises:
        ConfigurationError: sets are named and rooms too, or a tree of which nothing is named.

    """
    rooms = [f"--{name}" for name in _ROOMS if getattr(options, name) is not None]
    if (options.lab or options.dataset) and rooms:
        raise ConfigurationError(
            f"{', '.join(rooms)} and a set were given, but a threshold is for one or the other; "
            "calibrate on what the robot will see, and leave the other out."
        )
    if options.dataset_dir is not None and not options.dataset:
        raise ConfigurationError(
            f"Nothing in --dataset-dir {options.dataset_dir} is named; add --dataset with sets of "
            "it, or leave it out."
        )
    for name, value in _ROOMS.items():
        if getattr(options, name) is None:
            setattr(options, name, value)


def calibrate(options: argparse.Namespace) -> None:
    """Calibrate a checkpoint folder in place.

    Raises:
        ConfigurationError: there is no such folder, the checkpoint was trained on these rooms, or
            there are no answers of both kinds.
        LisaError: the checkpoint cannot be loaded.

    """
    if not options.checkpoint.is_dir():
        raise ConfigurationError(
            f"{options.checkpoint} is not a folder; calibration writes into it."
        )
    loaded = load_checkpoint(options.checkpoint)
    on_sets = bool(options.lab or options.dataset)
    answers, asked = (_about_sets if on_sets else _about_rooms)(options, loaded)
    threshold = best_threshold(
        [a.seg_probability for a in answers if a.present],
        [a.seg_probability for a in answers if not a.present],
    )
    calibration = {
        **asked,
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


def _about_rooms(
    options: argparse.Namespace, loaded: LoadedLisa
) -> tuple[list[Record], dict[str, Any]]:
    """Answers about simulated rooms, and what was asked, for the record."""
    refuse_trained_rooms(loaded.settings, range(options.seed, options.seed + options.rooms))
    engine = LisaEngine(loaded, found_threshold=None)
    rooms = simulated_rooms(options.seed, options.rooms, options.data)
    answers = list(ask_about_rooms(engine, rooms, seed=options.seed, split="train", noise=False))
    seeds = [options.seed, options.seed + options.rooms - 1]
    return answers, {"preset": options.data, "room_seeds": seeds}


def _about_sets(
    options: argparse.Namespace, loaded: LoadedLisa
) -> tuple[list[Record], dict[str, Any]]:
    """The same of lab and public sets."""
    sets = open_sets(options.dataset_dir, options.dataset, options.lab, options.split)
    # Questions come with their template.
    engine = LisaEngine(loaded, prompt_template=INSTRUCTION_FIELD, found_threshold=None)
    examiner = Examiner(engine, (Protocol("prompted"),))
    answers = [record for each in sets for record in evaluate_set(examiner, each)]
    return answers, {"sets": [each.name for each in sets]}


if __name__ == "__main__":
    sys.exit(main())
