"""One optimisation step over several ranks, with or without DeepSpeed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from lisa_ros.durable_files import replacing
from lisa_ros.errors import CheckpointMismatchError, CheckpointNotFoundError, ModelError
from training.collate import ImageBatch
from training.objective import LisaObjective, Predicted
from training.precision import autocast, precision_named
from training.ranks import Ranks
from training.run_config import Optimisation, RunConfig

_STATE = "learned.pt"


class Engine(Protocol):
    """What the loop drives. `forward` and `backward` come `accumulation` times before a `step`."""

    def forward(self, batch: ImageBatch, sam: Tensor, clip: Tensor) -> dict[str, Tensor]:
        """The parts of the loss of a micro-batch; see `LisaObjective`."""
        ...

    @property
    def device(self) -> torch.device:
        """Where batches must be."""
        ...

    def predict(self, batch: ImageBatch, sam: Tensor, clip: Tensor) -> Predicted:
        """Masks, without any randomness; see `LisaObjective.predict`."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Add a micro-batch's share of the gradient."""
        ...

    def step(self, learning_rate: float) -> None:
        """Average the gradients over the ranks, clip them, and move the weights.

        Raises:
            ModelError: a gradient is no number. (Of fp16, DeepSpeed passes over such steps.)

        """
        ...

    def save(self, folder: Path, keeper: bool) -> None:
        """Write what learned and the optimizer's state; every rank calls it.

        keeper: whether this rank writes what is the same for all ranks; there is one for each disk.
        """
        ...

    def load(self, folder: Path) -> None:
        """Read what `save` wrote; every rank calls it."""
        ...


class TorchEngine:
    """Every rank holds everything: for small models, one GPU, and CPUs."""

    def __init__(
        self,
        objective: LisaObjective,
        optimisation: Optimisation,
        accumulation: int,
        dtype: torch.dtype,
        ranks: Ranks,
    ) -> None:
        self.objective, self.ranks = objective, ranks
        self.accumulation, self.dtype = accumulation, dtype
        self.clip_norm = optimisation.clip_norm
        self.optimizer = adamw(learning_parameters(objective), optimisation)

    def forward(self, batch: ImageBatch, sam: Tensor, clip: Tensor) -> dict[str, Tensor]:
        """See `Engine`."""
        with autocast(self.dtype, sam.device.type):
            parts: dict[str, Tensor] = self.objective(batch, sam, clip)
        return parts

    @property
    def device(self) -> torch.device:
        """See `Engine`."""
        return self.objective.model.device

    def predict(self, batch: ImageBatch, sam: Tensor, clip: Tensor) -> Predicted:
        """See `Engine`."""
        self.objective.eval()
        with autocast(self.dtype, sam.device.type):
            predicted = self.objective.predict(batch, sam, clip)
        self.objective.train()
        return predicted

    def backward(self, loss: Tensor) -> None:
        """See `Engine`."""
        torch.autograd.backward(loss / self.accumulation)

    def step(self, learning_rate: float) -> None:
        """See `Engine`."""
        parameters = learning_parameters(self.objective)
        self.ranks.average_gradients(parameters)
        check_finite(float(nn.utils.clip_grad_norm_(parameters, self.clip_norm)))
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def save(self, folder: Path, keeper: bool) -> None:
        """See `Engine`; here everything is the same for all ranks."""
        if not keeper:
            return
        state = {"learned": learned(self.objective), "optimizer": self.optimizer.state_dict()}
        with replacing(folder / _STATE) as file:
            torch.save(state, file)

    def load(self, folder: Path) -> None:
        """See `Engine`."""
        state = torch.load(folder / _STATE, map_location="cpu", weights_only=True)
        take_learned(self.objective, state["learned"], folder)
        self.optimizer.load_state_dict(state["optimizer"])


def engine_of(objective: LisaObjective, config: RunConfig, ranks: Ranks) -> Engine:
    """The engine that a configuration asks for."""
    if config.deepspeed is not None:
        from training.deepspeed_engine import DeepSpeedEngine

        return DeepSpeedEngine(objective, config, ranks.world)
    accumulation = config.accumulation(ranks.world)
    dtype = precision_named(config.precision)
    return TorchEngine(objective, config.optimisation, accumulation, dtype, ranks)


def check_finite(norm: float) -> None:
    """Raise ModelError for the norm of a gradient that would ruin the weights."""
    if not math.isfinite(norm):
        raise ModelError(
            f"The gradient of a step has the norm {norm}: the weights are damaged, or a sample is. "
            "The last state of the run is from before. Try a lower optimisation.learning_rate, "
            "precision=fp32, or validate the data."
        )


def adamw(parameters: Iterable[nn.Parameter], settings: Optimisation) -> torch.optim.AdamW:
    """The optimizer of either engine; its learning rate is set at each step."""
    first, second = settings.betas
    return torch.optim.AdamW(
        parameters,
        lr=settings.learning_rate,
        betas=(first, second),
        weight_decay=settings.weight_decay,
    )


def learning_parameters(objective: nn.Module) -> list[nn.Parameter]:
    """The parameters that learn."""
    return [p for p in objective.parameters() if p.requires_grad]


def learned(module: nn.Module) -> dict[str, Tensor]:
    """What changes in training, by name."""
    return {n: p.detach() for n, p in module.named_parameters() if p.requires_grad}


@torch.no_grad()
def take_learned(module: nn.Module, values: Mapping[str, Tensor], source: Path) -> None:
    """Put what `learned` gave into a module.

    Raises:
        CheckpointMismatchError: another set of parameters learns, or one has another shape.

    """
    ours = learned(module)
    for name in sorted(ours.keys() ^ values.keys()):
        raise CheckpointMismatchError(f"{source} and this run differ: only one learns {name}.")
    for name, parameter in ours.items():
        if parameter.shape != values[name].shape:
            raise CheckpointMismatchError(
                f"{source} has {name} of shape {tuple(values[name].shape)}, this run "
                f"{tuple(parameter.shape)}."
            )
        parameter.copy_(values[name])


def read_learned(folder: Path) -> dict[str, Tensor]:
    """What learned of the model until a state was written, by its name there; on the CPU.

    Raises:
        CheckpointNotFoundError: no engine has written there.

    """
    if (folder / _STATE).is_file():
        state = torch.load(folder / _STATE, map_location="cpu", weights_only=True)
        return _of_model(state["learned"])
    from training.deepspeed_engine import holds_shares, shares_joined

    if not holds_shares(folder):
        raise CheckpointNotFoundError(f"{folder} has neither {_STATE} nor DeepSpeed's shares.")
    return _of_model(shares_joined(folder))


def _of_model(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """By the names that the model has in itself, not in `LisaObjective`, and without its head."""
    prefix = "model."
    return {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}
