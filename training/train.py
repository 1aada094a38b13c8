"""Train LISA on simulated rooms: `python -m training.train CONFIG.yaml [key=value ...]`.

The vision towers stay frozen, as in the paper; the language model, its connection to them, the
`[SEG]` projection and the mask decoder learn. Run again with the same configuration, an interrupted
run continues where it was.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.checkpoint import LoadedLisa, load_checkpoint, save_checkpoint
from lisa_ros.model.settings import LisaSettings
from lisa_ros.simulation.requests import sample_requests
from lisa_ros.simulation.room import Room
from training.config import load_config
from training.data.labels import masks_in_sam_frame
from training.data.questions import QuestionEncoder
from training.data.rooms import EpochOrder, load_rooms
from training.features import FrozenFeatures
from training.losses import (
    IGNORE_INDEX,
    LossWeights,
    answer_cross_entropy,
    bce_sum,
    dice_sum,
    mean_over_masks,
)
from training.packing import (
    Branch,
    PackedQuestions,
    pack_questions,
    packed_attention_mask,
    packed_position_ids,
)
from training.precision import autocast, precision_named
from training.schedule import warmup_cosine


@dataclass(frozen=True)
class TrainConfig:
    """See training/configs/lisa-tiny.yaml. init: a checkpoint folder. rooms, out: folders."""

    init: str
    rooms: str
    out: str
    steps: int
    images_per_step: int
    requests_per_image: int
    absent_share: float
    learning_rate: float
    warmup_steps: int = 100
    precision: str = "bf16"
    bare_answer_share: float = 0.4
    loss: LossWeights = field(default_factory=LossWeights)
    save_every: int = 500
    seed: int = 0
    max_rooms: int | None = None


@dataclass(frozen=True)
class Batch:
    """B rooms with several questions each.

    masks: bool[S_b,H,W] for each room, in the order of its `[SEG]`s.
    """

    rooms: list[int]
    questions: PackedQuestions
    masks: list[Tensor]


class RoomQuestions:
    """Draws the batch of a step: a function of the configuration and the step alone."""

    def __init__(self, config: TrainConfig, rooms: list[Room], encoder: QuestionEncoder) -> None:
        self.config, self.rooms, self.encoder = config, rooms, encoder
        self.order = EpochOrder(len(rooms), config.images_per_step, config.seed)

    def batch(self, step: int) -> Batch:
        """Sample rooms, requests about them and answers."""
        rng = np.random.default_rng([self.config.seed, step])
        indices = self.order.indices(step)
        branches, masks = [], []
        for index in indices:
            asked, wanted = self._ask(self.rooms[index], rng)
            branches.append(asked)
            masks.append(wanted)
        return Batch(indices, pack_questions(branches, self.encoder.tokenizer.pad_id), masks)

    def _ask(self, room: Room, rng: np.random.Generator) -> tuple[list[Branch], Tensor]:
        requests = sample_requests(
            room, rng, self.config.requests_per_image, absent_share=self.config.absent_share
        )
        branches = [self.encoder.branch(r.text, r.present, rng) for r in requests]
        masks = [room.mask(r.target_ids) for r in requests if r.present]
        stacked = np.stack(masks) if masks else np.zeros((0, *room.instances.shape), dtype=bool)
        return branches, torch.from_numpy(stacked)


class Trainer:
    """The model, what of it learns, and one optimisation step."""

    def __init__(self, config: TrainConfig, loaded: LoadedLisa, prefix: tuple[int, ...]) -> None:
        self.config = config
        self.model = loaded.model
        self.prefix = torch.tensor([prefix])
        self.dtype = precision_named(config.precision)
        # What makes two runs the same: everything but where and how often it is written.
        self.identity: dict[str, Any] = {
            **dataclasses.asdict(dataclasses.replace(config, out="", save_every=0)),
            "init_digest": weights_digest(loaded.model),
        }
        self.model.requires_grad_(False)
        for module in self._learning_modules():
            module.requires_grad_(True)
        self.optimizer = torch.optim.AdamW(
            self.parameters(), lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=0.0
        )

    def _learning_modules(self) -> Iterator[nn.Module]:
        llm = self.model.model
        yield from (llm.embed_tokens, llm.layers, llm.norm, llm.mm_projector, llm.text_hidden_fcs)
        yield from (self.model.lm_head, self.model.sam.mask_decoder)

    def parameters(self) -> list[nn.Parameter]:
        """The parameters that learn."""
        return [p for module in self._learning_modules() for p in module.parameters()]

    def losses(self, batch: Batch, features: FrozenFeatures) -> dict[str, Tensor]:
        """The three parts of the loss, unweighted; see `training.losses`.

        Masks are compared on the decoder's own grid, where the target is each cell's covered share:
        a sixteenth of the work of the image's resolution.
        """
        questions = batch.questions
        hidden = self.hidden_states(questions, features.clip[batch.rooms])
        supervised = questions.targets != IGNORE_INDEX
        logits = self.model.logits(hidden[supervised])
        embeddings = self.model.seg_embeddings(hidden[questions.seg_rows, questions.seg_columns])
        count = len(embeddings)
        bce = dice = embeddings.sum() * 0.0
        for row, room in enumerate(batch.rooms):
            prompts = embeddings[questions.seg_rows == row]
            if not len(prompts):
                continue
            low_res, _ = self.model.decode_masks(features.sam[room], prompts)
            target = masks_in_sam_frame(batch.masks[row], low_res.shape[-1])
            bce = bce + bce_sum(low_res, target)
            dice = dice + dice_sum(low_res, target)
        return {
            "ce": answer_cross_entropy(logits, questions.targets[supervised]),
            "bce": mean_over_masks(bce, count),
            "dice": mean_over_masks(dice, count),
        }

    def hidden_states(self, questions: PackedQuestions, clip: Tensor) -> Tensor:
        """Last hidden states of the packed questions, [B,M,D]."""
        image_tokens = self.model.model.mm_projector(clip)
        prefix = self.model.embed(self.prefix.expand(len(clip), -1), image_tokens)
        embeds = torch.cat([prefix, self.model.embed(questions.ids)], dim=1)
        length = prefix.shape[1]
        hidden, _ = self.model.hidden_states(
            embeds,
            attention_mask=packed_attention_mask(length, questions.owner),
            position_ids=packed_position_ids(length, questions.offset),
        )
        return hidden[:, length:]

    def step(self, step: int, batch: Batch, features: FrozenFeatures) -> dict[str, float]:
        """One optimisation step; returns the parts of the loss."""
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * warmup_cosine(
                step, config.warmup_steps, config.steps
            )
        with autocast(self.dtype):
            parts = self.losses(batch, features)
        total = (
            config.loss.ce * parts["ce"]
            + config.loss.bce * parts["bce"]
            + config.loss.dice * parts["dice"]
        )
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.parameters(), 1.0)
        self.optimizer.step()
        return {name: part.item() for name, part in parts.items()}

    def save(self, path: Path, step: int) -> None:
        """Write what a resumed run needs, aside and then renamed."""
        state = {
            "step": step,
            "run": self.identity,
            "model": self._learned(),
            "optimizer": self.optimizer.state_dict(),
        }
        aside = path.with_suffix(".part")
        with aside.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)

    def resume(self, path: Path) -> int:
        """Load what `save` wrote and return the step to go on with; 0 where nothing was written.

        Raises:
            ConfigurationError: the state is of a run with another configuration or other weights.

        """
        if not path.exists():
            return 0
        state = torch.load(path, weights_only=True)
        for name, value in self.identity.items():
            if state["run"].get(name) != value:
                raise ConfigurationError(
                    f"{path} is of a run with {name} {state['run'].get(name)!r}, this one has "
                    f"{value!r}. Choose another `out`, or remove it to start again."
                )
        with torch.no_grad():
            for name, parameter in self._learned().items():
                parameter.copy_(state["model"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])

    def _learned(self) -> dict[str, nn.Parameter]:
        return {n: p for n, p in self.model.named_parameters() if p.requires_grad}


def weights_digest(model: nn.Module) -> str:
    """A digest of all parameters, to recognise the weights that a run started from."""
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(parameter.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def main() -> None:
    """Run the training that a configuration describes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    arguments = parser.parse_args()
    train(load_config(TrainConfig, arguments.config, arguments.overrides))


def train(config: TrainConfig) -> None:
    """Train, checkpoint, and write the released-layout directory `out/checkpoint`."""
    dtype = precision_named(config.precision)
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    loaded = load_checkpoint(config.init)
    rooms = load_rooms(Path(config.rooms), config.max_rooms)
    settings = loaded.settings
    encoder = QuestionEncoder(
        loaded.tokenizer, settings.conversation, settings.prompt_template, config.bare_answer_share
    )
    features = FrozenFeatures.of_rooms(
        loaded.model, loaded.clip_processor, rooms, settings.view, dtype
    )
    trainer = Trainer(config, loaded, encoder.prefix())
    run(trainer, RoomQuestions(config, rooms, encoder), features, out)
    save_checkpoint(
        out / "checkpoint",
        loaded.model,
        tokenizer_folder=loaded.path,
        clip_processor=loaded.clip_processor,
        settings=trained_settings(settings, config, rooms),
    )
    print(f"Written {out / 'checkpoint'}. Next: python -m training.calibrate {out / 'checkpoint'}")


def trained_settings(
    settings: LisaSettings, config: TrainConfig, rooms: Sequence[Room]
) -> LisaSettings:
    """The settings of the new weights: no threshold yet, and how they were made."""
    seeds = sorted(room.seed for room in rooms)
    made = {
        "trained_with": dataclasses.asdict(config),
        "rooms": len(seeds),
        "room_seeds": [seeds[0], seeds[-1]],
    }
    return dataclasses.replace(
        settings, found_threshold=None, provenance={**settings.provenance, **made}
    )


def run(trainer: Trainer, questions: RoomQuestions, features: FrozenFeatures, out: Path) -> None:
    """The loop: the next batch is drawn in a thread while the current one is computed."""
    config = trainer.config
    state = out / "state.pt"
    first = trainer.resume(state)
    trainer.model.train()
    with (
        ThreadPoolExecutor(1) as background,
        (out / "losses.jsonl").open("a", encoding="utf-8") as log,
        tqdm(total=config.steps, initial=first, unit="step") as bar,
    ):
        upcoming = background.submit(questions.batch, first)
        for step in range(first, config.steps):
            batch = upcoming.result()
            upcoming = background.submit(questions.batch, step + 1)
            parts = trainer.step(step, batch, features)
            bar.update()
            if step % 20 == 0:
                bar.set_postfix({name: f"{part:.3f}" for name, part in parts.items()})
                log.write(json.dumps({"step": step, **parts}) + "\n")
                log.flush()
            if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
                trainer.save(state, step + 1)


if __name__ == "__main__":
    main()
