"""What the feature cache saves in training: `python -m benchmarks.feature_cache`.

Within one run, the same simulated rooms go through the trainer without a cache, with one that is
still empty, and with one that knows them all. What counts is processor time, so that a busy machine
matters less; ratios carry over to other machines, samples per second do not. The last line printed
is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.command import run
from lisa_ros.model.checkpoint import LoadedLisa, load_checkpoint
from lisa_ros.model.prompts import SHORT_QUESTIONS, conversation_named
from lisa_ros.simulation.room import Room, generate_room
from training.collate import Collator, ImageBatch
from training.conversation import ConversationTokenizer
from training.data.sample import Sample, Turn
from training.feature_cache import FeatureCache, predicted_bytes, predicted_size
from training.feature_lookup import FeatureLookup
from training.frozen_towers import FrozenTowers, encoding_of
from training.losses import LossWeights
from training.objective import LisaObjective
from training.precision import autocast, precision_named
from training.trainable import choose_trainable

TARGETS_PER_IMAGE = 4


@dataclass(frozen=True)
class Trainer:
    """What a training step consists of, with or without a cache."""

    collator: Collator
    towers: FrozenTowers
    objective: LisaObjective
    optimizer: torch.optim.Optimizer

    def features(self, samples: list[Sample]) -> tuple[ImageBatch, torch.Tensor, torch.Tensor]:
        """The stage that the cache shortens: the batch and what the towers make of it."""
        batch = self.collator(samples)
        return batch, *self.towers(batch)

    def step(self, samples: list[Sample]) -> None:
        """One optimisation step."""
        weights = LossWeights()
        batch, sam, clip = self.features(samples)
        with autocast(self.towers.dtype):
            parts = self.objective(batch, sam, clip)
        total = sum(getattr(weights, name) * part for name, part in parts.items())
        torch.autograd.backward(total)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def with_cache(self, cache: FeatureCache) -> Trainer:
        """The same, but with a cache."""
        towers = FrozenTowers(self.towers.model, self.towers.dtype, cache)
        collator = replace(self.collator, lookup=FeatureLookup(cache))
        return replace(self, collator=collator, towers=towers)


def trainer_of(loaded: LoadedLisa, dtype: torch.dtype) -> Trainer:
    """Everything that a step needs; the whole language model learns, as with lisa-tiny."""
    template = conversation_named(loaded.settings.conversation)
    tokenize = ConversationTokenizer(loaded.tokenizer, template)
    collator = Collator(
        tokenize=tokenize,
        clip_processor=loaded.clip_processor,
        sam_side=loaded.model.sam.config.image_size,
        view=loaded.settings.view,
        max_length=257,
    )
    choose_trainable(loaded.model, lora=None)
    objective = LisaObjective(loaded.model, tokenize.prefix, mask_grid="decoder")
    learning = [p for p in loaded.model.parameters() if p.requires_grad]
    towers = FrozenTowers(loaded.model, dtype)
    return Trainer(collator, towers, objective, torch.optim.AdamW(learning, lr=1e-5))


def sample_of(room: Room) -> Sample:
    """A question about each of the first objects."""
    objects = room.targets[:TARGETS_PER_IMAGE]
    questions = (SHORT_QUESTIONS[0].format(class_name=target.kind) for target in objects)
    return Sample(
        dataset="rooms",
        image=Path(f"room {room.seed}"),
        conversations=tuple((Turn(question, "[SEG]."),) for question in questions),
        masks=np.stack([room.mask([target.id]) for target in objects]).astype(np.uint8),
        pixels=room.image,
    )


def samples_per_s(
    action: Callable[[list[Sample]], object], samples: list[Sample], batch: int
) -> float:
    """Samples per second of processor time."""
    start = time.process_time()
    for first in range(0, len(samples), batch):
        action(samples[first : first + batch])
    return len(samples) / (time.process_time() - start)


def measure(
    plain: Trainer, open_cache: Callable[[], FeatureCache], samples: list[Sample], batch: int
) -> dict[str, float]:
    """Samples per second of every stage, each with and without; the rounds are interleaved."""
    empty = plain.with_cache(open_cache())
    filling = samples_per_s(empty.features, samples, batch)
    known = plain.with_cache(open_cache())
    return {
        "towers, no cache": samples_per_s(plain.features, samples, batch),
        "towers, filling the cache": filling,
        "towers, from the cache": samples_per_s(known.features, samples, batch),
        "whole step, no cache": samples_per_s(plain.step, samples, batch),
        "whole step, from the cache": samples_per_s(known.step, samples, batch),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.feature_cache", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--model", default="lisa-tiny")
    parser.add_argument("--precision", default="bf16", choices=("bf16", "fp32"))
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3, help="runs that the median is taken of")
    options = parser.parse_args()

    loaded, dtype = load_checkpoint(options.model), precision_named(options.precision)
    samples = [sample_of(generate_room(seed)) for seed in range(options.images)]
    plain = trainer_of(loaded, dtype)
    start = time.process_time()
    encoding = encoding_of(loaded.model, loaded.clip_processor, loaded.settings.view, dtype)
    digest_s = time.process_time() - start
    needed = predicted_bytes(encoding, len(samples))
    plain.step(samples[: options.batch])  # warm up
    rounds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            open_cache = partial(
                FeatureCache, Path(folder), encoding, max_bytes=needed, n_images=len(samples)
            )
            rounds.append(measure(plain, open_cache, samples, options.batch))
    rates = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    for name, rate in rates.items():
        print(f"{name:<28}{rate:>10.1f} samples/s of processor time")
    print(predicted_size(encoding, len(samples)))
    print(
        json.dumps(
            {
                "model": options.model,
                "precision": options.precision,
                "threads": torch.get_num_threads(),
                "images": len(samples),
                "bytes_per_image": encoding.record_bytes,
                "encoder_digest_s": round(digest_s, 3),
                "samples_per_s": {name: round(rate, 2) for name, rate in rates.items()},
                "towers_ratio": _ratio(rates, "towers"),
                "whole_step_ratio": _ratio(rates, "whole step"),
            }
        )
    )


def _ratio(rates: dict[str, float], stage: str) -> float:
    return round(rates[f"{stage}, from the cache"] / rates[f"{stage}, no cache"], 2)


if __name__ == "__main__":
    raise SystemExit(run(main))
