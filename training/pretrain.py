"""Give a LISA that starts from nothing its eyes: `python -m training.pretrain CONFIG.yaml`.

A released LISA starts from SAM's and CLIP's weights. lisa-tiny has none, so its two image encoders
are first trained on simulated rooms, each in what its role needs: SAM's part learns masks from
clicked points, class-agnostically as SAM itself does, and to tell kinds and colours in every cell
of its embedding; CLIP's part learns them for each patch, at the layer that LISA reads. The result
is a checkpoint directory whose language model is still random; `training.train` continues from
there. With `init`, the towers go on from those of another checkpoint, whose CLIP may have had
smaller images or fewer layers. Run again with the same configuration, an interrupted run continues
where it was.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from lisa_ros.errors import LisaError
from lisa_ros.model.checkpoint import load_checkpoint, read_settings, save_checkpoint
from lisa_ros.model.preprocess import ClipProcessor
from lisa_ros.model.prompts import ANSWERS, REFUSAL, conversation_named, wrap_instruction
from lisa_ros.model.settings import LisaSettings
from lisa_ros.simulation.phrasings import all_phrasings
from lisa_ros.simulation.room import Room
from training.checkpoint_folder import check_replaceable
from training.config import load_config
from training.data.rooms import EpochOrder, load_rooms
from training.pretrain_config import PretrainConfig
from training.ranks import ALONE, Ranks, joined_ranks
from training.run_log import forget_from
from training.scratch import random_lisa
from training.tokenizer import train_tokenizer
from training.tower_growth import take_towers
from training.vision_trainer import VisionBatch, VisionTrainer

VISION_TOWER_FOLDER = "clip-vit-tiny"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when the checkpoint directory is written."""
    parser = argparse.ArgumentParser(
        prog="python -m training.pretrain", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_intermixed_args(arguments)
    try:
        pretrain(load_config(PretrainConfig, options.config, options.overrides))
    except LisaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def pretrain(config: PretrainConfig) -> None:
    """Train tokenizer and vision towers, and write the checkpoint directory `config.out`.

    Each rank computes on the GPU of its number, where there is one. What the CPU computes depends
    on the configuration alone; a GPU's sums may differ in their last digits.

    Raises:
        LisaError: no rooms, or `init` or the state of another run does not fit, or something is in
            the place of `out` that must not be lost.

    """
    out = Path(config.out)
    check_replaceable(out)
    with joined_ranks() as ranks, tempfile.TemporaryDirectory() as scratch:
        rooms = load_rooms(Path(config.rooms), config.max_rooms, ranks)
        vocab_size = train_tokenizer(tokenizer_corpus(config), config.vocab_size, Path(scratch))
        model = random_lisa(config.sizes, vocab_size, VISION_TOWER_FOLDER, config.seed)
        if config.init is not None:
            take_towers(model, load_checkpoint(config.init).model)
        out.parent.mkdir(parents=True, exist_ok=True)
        run(VisionTrainer(model, config, ranks.device), rooms, out, ranks)
        if not ranks.first:
            return
        save_checkpoint(
            out,
            model,
            tokenizer_folder=Path(scratch),
            clip_processor=ClipProcessor(config.sizes.clip.image_size),
            settings=lisa_tiny_settings(config),
            dtype=torch.float32,
        )
        state_path(out).unlink()
    print(f"Vision towers are in {out}. Next: python -m training.train CONFIG.yaml")


def lisa_tiny_settings(config: PretrainConfig) -> LisaSettings:
    """What the checkpoint says of itself; the threshold is set by `training.calibrate`."""
    before: list[Any] = []
    if config.init is not None:
        before = read_settings(config.init).provenance["pretrained_with"]
    return LisaSettings(
        view="letterbox",
        conversation=config.conversation,
        demo_model=True,
        licence="Apache-2.0",
        training_data="Simulated rooms of lisa_ros.simulation, preset tabletop; nothing else.",
        provenance={"pretrained_with": [*before, dataclasses.asdict(config)]},
    )


def tokenizer_corpus(config: PretrainConfig) -> list[str]:
    """Every text of the training split, as it is put to the model; no unseen phrasing."""
    conversation = conversation_named(config.conversation)
    fixed = [conversation.opening.strip(), conversation.question_end.strip(), REFUSAL, *ANSWERS]
    asked = [
        "".join(span.text for span in wrap_instruction(text)) for text in all_phrasings("train")
    ]
    return [*(fixed * 20), *asked]


def run(trainer: VisionTrainer, rooms: list[Room], out: Path, ranks: Ranks = ALONE) -> None:
    """The loop: batches are prepared in a thread while the previous one is computed."""
    config = trainer.config
    order = EpochOrder(len(rooms), ranks.share(config.images_per_step), config.seed)
    first = trainer.resume(state_path(out), ranks)
    trainer.model.train()

    def prepare(step: int) -> VisionBatch:
        rng = np.random.default_rng([config.seed, step, ranks.rank])
        return trainer.batch([rooms[i] for i in order.indices(step)], rng)

    losses = Path(os.devnull)
    if ranks.first:
        losses = out.with_name(f"{out.name}.losses.jsonl")
        forget_from(losses, first)
    with (
        ThreadPoolExecutor(1) as background,
        losses.open("a", encoding="utf-8") as log,
        tqdm(total=config.steps, initial=first, unit="step", disable=not ranks.first) as bar,
    ):
        upcoming = background.submit(prepare, first)
        for step in range(first, config.steps):
            batch = upcoming.result()
            upcoming = background.submit(prepare, step + 1)
            values = trainer.step(step, batch, ranks)
            bar.update()
            if step % 20 == 0:
                bar.set_postfix({name: f"{value:.3f}" for name, value in values.items()})
                log.write(json.dumps({"step": step, **values}) + "\n")
                log.flush()
            due = (step + 1) % config.save_every == 0 or step + 1 == config.steps
            if due and ranks.first:
                trainer.save(state_path(out), step + 1, ranks)


def state_path(out: Path) -> Path:
    """Where the state of an interrupted run is."""
    return out.with_name(f"{out.name}.state.pt")


if __name__ == "__main__":
    sys.exit(main())
