"""What a lab gains by labelling its own frames: `python -m benchmarks.lab_finetune`.

Some kinds of things are held out: the base checkpoint was never asked for them nor told of them
(training/configs/lisa-tiny-heldout.yaml), though its vision towers saw them while they were
pre-trained, as a released SAM and CLIP have seen most things. Frames of fresh rooms are labelled
with those kinds, the base is fine-tuned on them with the lab configuration, and both are asked for
the new kinds, and for the old ones, in rooms that none of them saw. Frames differ from seed to
seed. Masks are judged before rejection, over requests for what is there.

An interrupted experiment goes on when it is started again. OUT/results.json holds all figures,
OUT/results.png a picture; the last line printed is JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.lab_finetune.held_out import HELD_OUT, refuse_told
from benchmarks.lab_finetune.kind_questions import KindQuestions
from benchmarks.lab_finetune.results import NEW, OLD, Figures, Results, collected, set_figures_of
from benchmarks.lab_finetune.summary import draw, last_line, table
from benchmarks.lab_finetune.trial import Trial, Workshop, fine_tuned
from lisa_ros.errors import ConfigurationError, LisaError
from lisa_ros.inference.devices import device_named, dtype_named
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.checkpoint import load_checkpoint, read_settings
from lisa_ros.model.locations import checkpoint_folder
from lisa_ros.model.prompts import INSTRUCTION_FIELD
from lisa_ros.simulation.generate import generate
from lisa_ros.simulation.stored_rooms import StoredRooms
from training.arguments import positive
from training.config import load_config
from training.data.room_requests import KindChoice
from training.evaluation.asking import Protocol
from training.evaluation.running import Examiner, evaluate_set
from training.run_config import RunConfig
from training.run_record import plain

CONFIG = Path(__file__).parents[2] / "training" / "configs" / "lisa-tiny-lab.yaml"
# Far from the seeds of rooms that README and configurations speak of. Of four kinds, 56 % of rooms
# show one that can be asked for, 19 % two or more.
LAB_SEED, LAB_ROOMS = 3_000_000, 800
UNSEEN_SEED, UNSEEN_ROOMS = 4_000_000, 220
NEW_REQUESTS, OLD_REQUESTS = 4, 8  # about a room


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when every trial was done and told."""
    options = _parse(arguments)
    try:
        results = experiment(options)
    except LisaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError:
        print("error: a training failed and said why above.", file=sys.stderr)
        return 1
    draw(results, options.out / "results.png")
    print(table(results))
    print(json.dumps(last_line(results)))
    return 0


def experiment(options: argparse.Namespace) -> Results:
    """All trials that were not done yet; returns the figures of all.

    Raises:
        ConfigurationError: the base was told of the kinds, rooms are in two places, or OUT is of
            another experiment.
        LisaError: anything that cannot be read, trained or written.

    """
    base, kinds = checkpoint_folder(options.base), tuple(options.kinds)
    new, old = KindChoice(only=frozenset(kinds)), KindChoice(without=frozenset(kinds))
    settings = read_settings(base)
    refuse_told(settings, new.only)
    config = load_config(RunConfig, options.config, options.set)
    lab_rooms, unseen = options.out / "rooms" / "lab", options.out / "rooms" / "unseen"
    make_rooms(lab_rooms, LAB_SEED, LAB_ROOMS)
    make_rooms(unseen, UNSEEN_SEED, UNSEEN_ROOMS)
    check_apart([options.rooms, lab_rooms, unseen])
    sets = [
        KindQuestions(
            name,
            unseen,
            choice,
            requests_per_room=requests,
            template=settings.prompt_template,
        )
        for name, choice, requests in ((NEW, new, NEW_REQUESTS), (OLD, old, OLD_REQUESTS))
    ]
    workshop = Workshop(
        base,
        kinds,
        lab_rooms,
        options.rooms,
        config,
        options.out,
        things=options.things,
        ranks=options.ranks,
    )
    trials = [Trial(frames, seed) for frames in options.frames for seed in options.seeds]
    return collected(
        options.out / "results.json",
        _setup(options, base, config),
        trials,
        before=lambda: measured(base, sets),
        after=lambda trial: measured(fine_tuned(workshop, trial), sets),
    )


def make_rooms(folder: Path, seed: int, count: int) -> None:
    """Generate rooms, unless they are there; the folder appears as a whole."""
    if folder.is_dir():
        return
    aside = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    generate(aside, seed, count, "tabletop", os.cpu_count() or 1)
    aside.rename(folder)


def check_apart(folders: Sequence[Path]) -> None:
    """Raise ConfigurationError where the same room is in two of the folders."""
    found: dict[int, Path] = {}
    for folder in folders:
        rooms = StoredRooms(folder)
        for seed in {rooms.seed(number) for number in range(len(rooms))}:
            other = found.setdefault(seed, folder)
            if other != folder:
                raise ConfigurationError(
                    f"{other} and {folder} both hold the room of seed {seed}. What is learned from "
                    "and what is asked about must differ; give --rooms of other seeds."
                )


def measured(checkpoint: Path, sets: Sequence[KindQuestions]) -> Figures:
    """The figures of a checkpoint on each set."""
    device = device_named("auto")
    loaded = load_checkpoint(checkpoint, device, dtype_named("auto", device))
    # Questions come with their template.
    engine = LisaEngine(loaded, prompt_template=INSTRUCTION_FIELD, found_threshold=None)
    examiner = Examiner(engine, (Protocol("prompted"),))
    return {each.name: set_figures_of(evaluate_set(examiner, each)) for each in sets}


def _setup(options: argparse.Namespace, base: Path, config: RunConfig) -> dict[str, Any]:
    """What all figures of one folder have in common."""
    digest = hashlib.sha256()
    for path in sorted(base.glob("*.safetensors")) + sorted(base.glob("*.bin")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return {
        "kinds": sorted(options.kinds),
        "base": digest.hexdigest(),
        "rooms": str(options.rooms),
        "things": options.things,
        "ranks": options.ranks,
        "config": plain(dataclasses.asdict(config)),
    }


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lab_finetune",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--base", required=True, help="a checkpoint that was never told of the kinds")
    add("--rooms", type=Path, required=True, help="those that it was trained on, to replay")
    add("--out", type=Path, required=True, help="a folder for everything")
    add("--frames", type=positive, nargs="+", default=[10, 25, 50, 100], metavar="N")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="N")
    add("--kinds", nargs="+", default=list(HELD_OUT), metavar="KIND", help="new to the base")
    add("--things", type=positive, default=2, help="of them that a labelled frame shows, at least")
    add("--config", type=Path, default=CONFIG, help="of the fine-tuning")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="in the configuration")
    add("--ranks", type=positive, default=1, help="processes that train together; GPUs or cores")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
