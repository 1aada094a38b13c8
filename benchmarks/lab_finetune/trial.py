"""One trial: so many frames labelled, a fine-tuning run on them, and its checkpoint."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lisa_ros.durable_files import replace_text
from training.data.room_export import Frames, export_rooms
from training.data.room_requests import KindChoice
from training.export import export
from training.run_config import RunConfig, Start
from training.run_record import plain
from training.sources import Source, SourceGroup

# Of frames that are not learned from, for the one validation at the end; nothing is chosen by it.
VAL_FRAMES = 10
# About a frame, at most: several wordings for each labelled mask, and some for what is not there.
REQUESTS_PER_FRAME = 12


class Trial(NamedTuple):
    """frames: to learn from. seed: of which frames they are, and of the training."""

    frames: int
    seed: int

    @property
    def name(self) -> str:
        """Such as "frames-050-seed-0"; sorts as the numbers do."""
        return f"frames-{self.frames:03d}-seed-{self.seed}"


@dataclass(frozen=True)
class Workshop:
    """What trials have in common.

    base: the checkpoint to start from. kinds: new to it. lab_rooms: where frames come from.
    known_rooms: asked about all other kinds, so that they are kept. config: of the fine-tuning,
    whose weights, folders, kinds and seed are filled in. things: of the kinds that each labelled
    frame shows, at least. ranks: processes that train together.
    """

    base: Path
    kinds: tuple[str, ...]
    lab_rooms: Path
    known_rooms: Path
    config: RunConfig
    out: Path
    things: int = 1
    ranks: int = 1


def fine_tuned(workshop: Workshop, trial: Trial) -> Path:
    """Go through what a lab does, from frames to a checkpoint, and return its folder.

    What an earlier sitting did is not done again: training goes on where it was.

    Raises:
        DatasetError: too few rooms show the kinds.
        CalledProcessError: training failed; it has said why.
        LisaError: see `export`.

    """
    folder = workshop.out / "trials" / trial.name
    lab, run, checkpoint = folder / "lab", folder / "run", folder / "checkpoint"
    if not lab.exists():  # it appears as a whole
        kinds = KindChoice(only=frozenset(workshop.kinds))
        frames = Frames(trial.frames, VAL_FRAMES, kinds, REQUESTS_PER_FRAME, things=workshop.things)
        export_rooms(workshop.lab_rooms, lab, frames, trial.seed)
    config = folder / "config.yaml"
    settings = plain(dataclasses.asdict(run_config(workshop, trial, lab, run)))
    replace_text(config, yaml.safe_dump(settings, sort_keys=False))
    subprocess.run([*_launcher(workshop.ranks), "-m", "training.train", str(config)], check=True)
    export(run, checkpoint)
    return checkpoint


def run_config(workshop: Workshop, trial: Trial, lab: Path, run: Path) -> RunConfig:
    """The configuration of one trial's training."""

    def placed(source: Source) -> Source:
        if source.kind == "lab":
            return dataclasses.replace(source, folder=str(lab))
        if source.kind == "rooms":
            options: dict[str, Any] = {**source.options, "without_kinds": list(workshop.kinds)}
            folder = str(workshop.known_rooms)
            return dataclasses.replace(source, folder=folder, options=options)
        return source

    def grouped(group: SourceGroup) -> SourceGroup:
        return dataclasses.replace(group, datasets=tuple(map(placed, group.datasets)))

    config = workshop.config
    validation = config.validation
    if validation is not None:
        validation = dataclasses.replace(
            validation, data=placed(validation.data), every=config.steps
        )
    return dataclasses.replace(
        config,
        out=str(run),
        start=Start(lisa=str(workshop.base)),
        data=tuple(map(grouped, config.data)),
        validation=validation,
        watched=tuple(map(placed, config.watched)),
        seed=trial.seed,
    )


def _launcher(ranks: int) -> list[str]:
    alone = [sys.executable]
    together = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    return alone if ranks == 1 else [*alone, *together]
