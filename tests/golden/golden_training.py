"""Upstream's training batches (g2): finding them, and building the same from our own parts."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from golden_data import GoldenSet

from lisa_ros.model.checkpoint import LoadedLisa, load_checkpoint
from lisa_ros.model.prompts import IMAGE_PREFIX, conversation_named
from training.collate import Collator
from training.conversation import ConversationTokenizer
from training.data.sample import Conversation, Sample, Turn

UPSTREAM_MAX_IDS = 512 - 255


@dataclass(frozen=True)
class GoldenBatch:
    """One run of upstream's trainer: `meta` is its batch.json, `file` its arrays."""

    name: str
    root: Path
    meta: dict[str, Any]

    @property
    def file(self) -> str:
        return f"g2/{self.name}/batch.npz"

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        with np.load(self.root / self.file) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def samples(self) -> list[Sample]:
        offsets = self.arrays["train__offset"].tolist()
        conversations = [
            split_conversation(text, self.meta["conv_type"])
            for text in self.meta["batch"]["conversation_list"]
        ]
        return [
            Sample(
                dataset=self.name,
                image=self.root / "dataset" / image,
                conversations=tuple(conversations[offsets[i] : offsets[i + 1]]),
                masks=self.arrays[f"train__gt_masks_{i}"],
            )
            for i, image in enumerate(self.meta["batch"]["images"])
        ]

    def load(self) -> tuple[LoadedLisa, Collator]:
        """A fresh model and the collator for it."""
        loaded = load_checkpoint(self.root / self.meta["checkpoint"])
        template = conversation_named(self.meta["conv_type"])
        collator = Collator(
            tokenize=ConversationTokenizer(loaded.tokenizer, template),
            clip_processor=loaded.clip_processor,
            sam_side=loaded.model.sam.config.image_size,
            view="center",
            max_length=UPSTREAM_MAX_IDS,
        )
        return loaded, collator


def golden_batches(golden_set: GoldenSet) -> list[GoldenBatch]:
    return [
        GoldenBatch(path.parent.name, golden_set.root, json.loads(path.read_text(encoding="utf-8")))
        for path in sorted((golden_set.root / "g2").glob("*/batch.json"))
    ]


def split_conversation(text: str, template_name: str) -> Conversation:
    """Take upstream's text of a conversation apart into its turns."""
    template = conversation_named(template_name)
    text = text.removeprefix(template.opening)
    text = text.removeprefix(IMAGE_PREFIX).removeprefix("<image>\n")
    turns = []
    for part in filter(None, text.split(template.answer_end)):
        question, answer = part.removeprefix(template.reopening).split(f"{template.question_end} ")
        turns.append(Turn(question, answer))
    return tuple(turns)


def load_adapters(model: torch.nn.Module, arrays: dict[str, np.ndarray]) -> None:
    """Set the LoRA weights to upstream's; its names have peft's prefix."""
    named = dict(model.named_parameters())
    prefix = "lora__base_model.model."
    with torch.no_grad():
        for name, value in arrays.items():
            if name.startswith(prefix):
                named[name.removeprefix(prefix)].copy_(torch.from_numpy(value))
