"""Give a LISA that starts from nothing its eyes: `python -m training.pretrain CONFIG.yaml`.

A released LISA starts from SAM's and CLIP's weights. lisa-tiny has none, so its two image encoders
are first trained on simulated rooms, each in what its role needs: SAM's part learns masks from
clicked points, class-agnostically as SAM itself does, and to tell kinds and colours in every cell
of its embedding; CLIP's part learns them for each patch, at the layer that LISA reads. The result
is a checkpoint directory whose language model is still random; `training.train` continues from
there. With `init`, the towers go on from those of another checkpoint, whose CLIP may have had
smaller images or fewer layers.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from lisa_ros.model.checkpoint import load_checkpoint, save_checkpoint
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.preprocess import ClipProcessor, clip_input, sam_input
from lisa_ros.model.prompts import ANSWERS, REFUSAL, conversation_named, wrap_instruction
from lisa_ros.model.settings import LisaSettings
from lisa_ros.simulation.kinds import KINDS
from lisa_ros.simulation.material import COLORS
from lisa_ros.simulation.phrasings import all_phrasings
from lisa_ros.simulation.room import Room
from training.config import load_config
from training.data.labels import in_letterbox_frame, in_sam_frame, label_planes
from training.data.rooms import EpochOrder, load_rooms
from training.precision import autocast, precision_named
from training.ranks import ALONE, Ranks, joined_ranks
from training.schedule import warmup_cosine
from training.scratch import Sizes, random_lisa
from training.tokenizer import train_tokenizer
from training.tower_growth import take_towers
from training.vision_heads import Clicks, DenseHead, click_loss, draw_clicks

SAM_SUBCELLS = 4
VISION_TOWER_FOLDER = "clip-vit-tiny"


@dataclass(frozen=True)
class PretrainConfig:
    """See training/configs/lisa-tiny-pretrain.yaml. `rooms`, `out` and `init` are folders."""

    rooms: str
    out: str
    sizes: Sizes
    vocab_size: int
    conversation: str
    steps: int
    images_per_step: int
    points_per_image: int
    learning_rate: float
    warmup_steps: int = 100
    precision: str = "bf16"
    seed: int = 0
    max_rooms: int | None = None
    init: str | None = None


@dataclass(frozen=True)
class VisionBatch:
    """B images as both towers see them, with the labels of their cells and patches."""

    sam_pixels: Tensor
    clip_pixels: Tensor
    sam_labels: Tensor
    clip_labels: Tensor
    clicks: list[Clicks | None]


class VisionTrainer:
    """The two towers with their temporary heads."""

    def __init__(self, model: LisaForCausalLM, config: PretrainConfig) -> None:
        sizes = config.sizes
        self.model, self.config = model, config
        self.sam = model.sam
        self.clip_grid = sizes.clip.image_size // sizes.clip.patch_size
        self.sam_grid = sizes.sam.image_size // sizes.sam.patch_size
        self.processor = ClipProcessor(sizes.clip.image_size)
        self.sam_head = DenseHead(sizes.sam.prompt_embed_dim, len(KINDS), len(COLORS), SAM_SUBCELLS)
        self.clip_head = DenseHead(sizes.clip.hidden_size, len(KINDS), len(COLORS), 1)

    def parameters(self) -> Iterator[nn.Parameter]:
        """Everything that is trained."""
        for module in (self.sam, self.model.vision_tower, self.sam_head, self.clip_head):
            yield from module.parameters()

    def batch(self, rooms: list[Room], rng: np.random.Generator) -> VisionBatch:
        """Prepare the images and labels of some rooms."""
        side = self.config.sizes.sam.image_size
        planes = [label_planes(room, tuple(KINDS), tuple(COLORS)) for room in rooms]
        return VisionBatch(
            torch.stack([sam_input(room.image, side).pixels for room in rooms]),
            torch.stack([clip_input(room.image, self.processor, "letterbox") for room in rooms]),
            torch.stack([in_sam_frame(p, self.sam_grid * SAM_SUBCELLS) for p in planes]),
            torch.stack([in_letterbox_frame(p, self.clip_grid) for p in planes]),
            [draw_clicks(room, self.config.points_per_image, side, rng) for room in rooms],
        )

    def losses(self, batch: VisionBatch) -> dict[str, Tensor]:
        """The parts of the loss, each a mean over the batch."""
        embedding = self.model.encode_sam(batch.sam_pixels)
        patches = self.model.vision_tower(batch.clip_pixels)
        patches = patches.transpose(1, 2).unflatten(2, (self.clip_grid, self.clip_grid))
        return {
            "masks": click_loss(self.sam, embedding, batch.clicks),
            "cells": self.sam_head.loss(embedding, batch.sam_labels),
            "patches": self.clip_head.loss(patches, batch.clip_labels),
        }


def main() -> None:
    """Run the pre-training that a configuration describes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    arguments = parser.parse_args()
    pretrain(load_config(PretrainConfig, arguments.config, arguments.overrides))


def pretrain(config: PretrainConfig) -> None:
    """Train tokenizer and vision towers, and write the checkpoint directory `config.out`."""
    out = Path(config.out)
    with joined_ranks() as ranks, tempfile.TemporaryDirectory() as scratch:
        rooms = load_rooms(Path(config.rooms), config.max_rooms, ranks)
        vocab_size = train_tokenizer(tokenizer_corpus(config), config.vocab_size, Path(scratch))
        model = random_lisa(config.sizes, vocab_size, VISION_TOWER_FOLDER, config.seed)
        if config.init is not None:
            take_towers(model, load_checkpoint(config.init).model)
        out.parent.mkdir(parents=True, exist_ok=True)
        losses = out.with_name(f"{out.name}.losses.jsonl")
        run(VisionTrainer(model, config), rooms, losses, ranks)
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
    print(f"Vision towers are in {out}. Next: python -m training.train CONFIG.yaml")


def lisa_tiny_settings(config: PretrainConfig) -> LisaSettings:
    """What the checkpoint says of itself; the threshold is set by `training.calibrate`."""
    return LisaSettings(
        view="letterbox",
        conversation=config.conversation,
        demo_model=True,
        licence="Apache-2.0",
        training_data="Simulated rooms of lisa_ros.simulation, preset tabletop; nothing else.",
        provenance={"pretrained_with": dataclasses.asdict(config)},
    )


def tokenizer_corpus(config: PretrainConfig) -> list[str]:
    """Every text of the training split, as it is put to the model; no unseen phrasing."""
    conversation = conversation_named(config.conversation)
    fixed = [conversation.opening.strip(), conversation.question_end.strip(), REFUSAL, *ANSWERS]
    asked = [
        "".join(span.text for span in wrap_instruction(text)) for text in all_phrasings("train")
    ]
    return [*(fixed * 20), *asked]


def run(trainer: VisionTrainer, rooms: list[Room], losses: Path, ranks: Ranks = ALONE) -> None:
    """The loop: batches are prepared in a thread while the previous one is computed."""
    config = trainer.config
    dtype = precision_named(config.precision)
    order = EpochOrder(len(rooms), ranks.share(config.images_per_step), config.seed)
    optimizer = torch.optim.AdamW(trainer.parameters(), lr=config.learning_rate, betas=(0.9, 0.95))
    trainer.model.train()

    def prepare(step: int) -> VisionBatch:
        rng = np.random.default_rng([config.seed, step, ranks.rank])
        return trainer.batch([rooms[i] for i in order.indices(step)], rng)

    with (
        ThreadPoolExecutor(1) as background,
        (losses if ranks.first else Path(os.devnull)).open("w", encoding="utf-8") as log,
        tqdm(total=config.steps, unit="step", disable=not ranks.first) as bar,
    ):
        upcoming = background.submit(prepare, 0)
        for step in range(config.steps):
            batch = upcoming.result()
            upcoming = background.submit(prepare, step + 1)
            factor = warmup_cosine(step, config.warmup_steps, config.steps)
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * factor
            with autocast(dtype):
                parts = trainer.losses(batch)
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(torch.stack(list(parts.values())).sum())
            ranks.average_gradients(trainer.parameters())
            nn.utils.clip_grad_norm_(trainer.parameters(), 1.0)
            optimizer.step()
            bar.update()
            if step % 20 == 0:
                values = ranks.mean(parts)
                bar.set_postfix({name: f"{value:.3f}" for name, value in values.items()})
                log.write(json.dumps({"step": step, **values}) + "\n")
                log.flush()


if __name__ == "__main__":
    main()
