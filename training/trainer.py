"""The model, what of it learns, and one optimisation step."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.checkpoint import LoadedLisa
from training.data.labels import masks_in_sam_frame
from training.data.room_questions import Batch
from training.features import FrozenFeatures
from training.losses import IGNORE_INDEX, answer_cross_entropy, bce_sum, dice_sum, mean_over_masks
from training.mask_batch import decode_batch
from training.packed_forward import packed_hidden_states
from training.precision import autocast, precision_named
from training.ranks import ALONE, Ranks
from training.schedule import warmup_cosine
from training.target_head import TargetHead
from training.train_config import TrainConfig


class Trainer:
    """The model, what of it learns, and one optimisation step."""

    def __init__(
        self,
        config: TrainConfig,
        loaded: LoadedLisa,
        prefix: tuple[int, ...],
        ranks: Ranks = ALONE,
    ) -> None:
        self.config, self.ranks = config, ranks
        self.model = loaded.model
        self.prefix = torch.tensor(prefix)
        self.dtype = precision_named(config.precision)
        # What makes two runs the same: everything but where and how often it is written.
        self.identity: dict[str, Any] = {
            **dataclasses.asdict(dataclasses.replace(config, out="", save_every=0)),
            "init_digest": weights_digest(loaded.model),
            "ranks": ranks.world,
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.head = TargetHead(loaded.config.out_dim)
        self.model.requires_grad_(False)
        for module in self._learning_modules():
            module.requires_grad_(True)
        self.optimizer = torch.optim.AdamW(
            self.parameters(), lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=0.0
        )

    def _learning_modules(self) -> Iterator[nn.Module]:
        llm = self.model.model
        yield from (llm.embed_tokens, llm.layers, llm.norm, llm.mm_projector, llm.text_hidden_fcs)
        yield from (self.model.lm_head, self.model.sam.mask_decoder, self.head)

    def parameters(self) -> list[nn.Parameter]:
        """The parameters that learn."""
        return [p for module in self._learning_modules() for p in module.parameters()]

    def losses(self, batch: Batch, features: FrozenFeatures) -> dict[str, Tensor]:
        """The parts of the loss, unweighted; see `training.losses` and `TargetHead`.

        Masks are compared on the decoder's own grid, where the target is each cell's covered share:
        a sixteenth of the work of the image's resolution.
        """
        questions = batch.questions
        seen, hidden = packed_hidden_states(
            self.model, self.prefix, questions, features.clip[batch.rooms]
        )
        supervised = questions.targets != IGNORE_INDEX
        logits = self.model.logits(hidden[supervised])
        embeddings = self.model.seg_embeddings(hidden[questions.seg_rows, questions.seg_columns])
        low_res = decode_batch(
            self.model.sam, features.sam[batch.rooms], questions.seg_rows, embeddings[:, None]
        )
        masks = [masks_in_sam_frame(m, low_res.shape[-1]) for m in batch.masks if len(m)]
        target = torch.cat(masks) if masks else torch.zeros_like(low_res)
        count = len(embeddings)
        return {
            "ce": answer_cross_entropy(logits, questions.targets[supervised]),
            "bce": mean_over_masks(bce_sum(low_res, target), count),
            "dice": mean_over_masks(dice_sum(low_res, target), count),
            "target": self.head.loss(embeddings, batch.labels),
            "patches": self.head.loss(
                self.model.seg_embeddings(seen).flatten(0, 1), batch.patches.flatten(0, 1)
            ),
        }

    def step(self, step: int, batch: Batch, features: FrozenFeatures) -> dict[str, float]:
        """One optimisation step; returns the parts of the loss."""
        config = self.config
        # The head is a first push, and gone at the end.
        target_weight = config.target_weight * (1 - step / config.steps)
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
            + target_weight * (parts["target"] + parts["patches"])
        )
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        self.ranks.average_gradients(self.parameters())
        nn.utils.clip_grad_norm_(self.parameters(), 1.0)
        self.optimizer.step()
        return self.ranks.mean(parts)

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
        """What changes in training, by name; the head's names cannot be the model's."""
        learned = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        return learned | {f"target_head.{n}": p for n, p in self.head.named_parameters()}


def weights_digest(model: nn.Module) -> str:
    """A digest of all parameters, to recognise the weights that a run started from."""
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(parameter.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
