"""The two vision towers with their temporary heads, and one step of their pre-training."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lisa_ros.durable_files import replacing
from lisa_ros.errors import ConfigurationError
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.preprocess import ClipProcessor, clip_input, sam_input
from lisa_ros.simulation.kinds import KINDS
from lisa_ros.simulation.material import COLORS
from lisa_ros.simulation.room import Room
from training.data.labels import in_letterbox_frame, in_sam_frame, label_planes
from training.precision import autocast, precision_named
from training.pretrain_config import PretrainConfig
from training.ranks import Ranks
from training.schedule import warmup_cosine
from training.vision_heads import Clicks, DenseHead, click_loss, draw_clicks

SAM_SUBCELLS = 4


@dataclass(frozen=True)
class VisionBatch:
    """B images as both towers see them, with the labels of their cells and patches."""

    sam_pixels: Tensor
    clip_pixels: Tensor
    sam_labels: Tensor
    clip_labels: Tensor
    clicks: list[Clicks | None]

    def to(self, device: torch.device) -> VisionBatch:
        """The same on another device."""
        return VisionBatch(
            self.sam_pixels.to(device),
            self.clip_pixels.to(device),
            self.sam_labels.to(device),
            self.clip_labels.to(device),
            [None if clicks is None else clicks.to(device) for clicks in self.clicks],
        )


class VisionTrainer:
    """The two towers with their temporary heads."""

    def __init__(
        self, model: LisaForCausalLM, config: PretrainConfig, device: torch.device
    ) -> None:
        """Moves the model to the device."""
        sizes = config.sizes
        self.model, self.config, self.device = model.to(device), config, device
        self.sam = model.sam
        self.clip_grid = sizes.clip.image_size // sizes.clip.patch_size
        self.sam_grid = sizes.sam.image_size // sizes.sam.patch_size
        self.processor = ClipProcessor(sizes.clip.image_size)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)  # alike on all ranks
            self.sam_head = DenseHead(
                sizes.sam.prompt_embed_dim, len(KINDS), len(COLORS), SAM_SUBCELLS
            )
            self.clip_head = DenseHead(sizes.clip.hidden_size, len(KINDS), len(COLORS), 1)
        for head in (self.sam_head, self.clip_head):
            head.to(device)
        self.dtype = precision_named(config.precision)
        self.optimizer = torch.optim.AdamW(
            self.parameters(), lr=config.learning_rate, betas=(0.9, 0.95)
        )

    def parameters(self) -> Iterator[nn.Parameter]:
        """Everything that is trained."""
        for module in (self.sam, self.model.vision_tower, self.sam_head, self.clip_head):
            yield from module.parameters()

    def batch(self, rooms: list[Room], rng: np.random.Generator) -> VisionBatch:
        """Prepare the images and labels of some rooms, on the CPU."""
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
        """The parts of the loss, each a mean over a batch on the trainer's device."""
        embedding = self.model.encode_sam(batch.sam_pixels)
        patches = self.model.vision_tower(batch.clip_pixels)
        patches = patches.transpose(1, 2).unflatten(2, (self.clip_grid, self.clip_grid))
        return {
            "masks": click_loss(self.sam, embedding, batch.clicks),
            "cells": self.sam_head.loss(embedding, batch.sam_labels),
            "patches": self.clip_head.loss(patches, batch.clip_labels),
        }

    def step(self, step: int, batch: VisionBatch, ranks: Ranks) -> dict[str, float]:
        """One optimisation step; returns the parts of the loss."""
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * warmup_cosine(
                step, config.warmup_steps, config.steps
            )
        with autocast(self.dtype, self.device.type):
            parts = self.losses(batch.to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(parts.values())).sum())
        ranks.average_gradients(self.parameters())
        nn.utils.clip_grad_norm_(self.parameters(), 1.0)
        self.optimizer.step()
        return ranks.mean(parts)

    def save(self, path: Path, step: int, ranks: Ranks) -> None:
        """Write what a resumed run needs."""
        state = {
            "step": step,
            "run": self._identity(ranks),
            "parameters": [parameter.detach() for parameter in self.parameters()],
            "optimizer": self.optimizer.state_dict(),
        }
        with replacing(path) as aside:
            torch.save(state, aside)

    @torch.no_grad()
    def resume(self, path: Path, ranks: Ranks) -> int:
        """Load what `save` wrote, and return the step to go on with; 0 where nothing was written.

        Raises:
            ConfigurationError: it is of a run with another configuration.

        """
        if not path.exists():
            return 0
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["run"] != self._identity(ranks):
            raise ConfigurationError(
                f"{path} is of a run with another configuration. Choose another `out`, or remove "
                "that file to start again."
            )
        for parameter, value in zip(self.parameters(), state["parameters"], strict=True):
            parameter.copy_(value)
        self.optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])

    def _identity(self, ranks: Ranks) -> str:
        settings = dataclasses.asdict(dataclasses.replace(self.config, out="", save_every=0))
        return json.dumps({**settings, "ranks": ranks.world})
