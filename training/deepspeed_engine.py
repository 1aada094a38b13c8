"""One optimisation step through DeepSpeed: weights, gradients and optimizer split over the ranks.

Imported only where a configuration asks for it: DeepSpeed takes seconds to import.
"""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path
from typing import Any

import deepspeed
import torch
import torch.distributed as dist
from deepspeed.accelerator import get_accelerator
from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint
from torch import Tensor, nn

from lisa_ros.errors import CheckpointNotFoundError, ConfigurationError
from lisa_ros.model.lisa import LisaForCausalLM
from training.collate import ImageBatch
from training.engine import adamw, check_finite, learning_parameters
from training.objective import LisaObjective, Predicted
from training.precision import precision_named
from training.run_config import DeepSpeedSettings, RunConfig

_TAG = "zero"
_BUCKET = 5_000_000
# In errors of what torch writes to a path with; they say nothing of the disk.
_TORCH_WRITER = "inline_container"


class DeepSpeedEngine:
    """See `training.engine.Engine`. The optimizer is torch's: DeepSpeed's own must be compiled."""

    def __init__(self, objective: LisaObjective, config: RunConfig, world: int) -> None:
        if config.deepspeed is None:
            raise ConfigurationError("this run does not ask for DeepSpeed; add `deepspeed: {}`.")
        _join()
        self.objective = objective
        self.checks = config.precision != "fp16"
        settings = deepspeed_config(config, config.deepspeed, world)
        optimizer = adamw(learning_parameters(objective), config.optimisation)
        if config.splits_weights:
            _keep_towers_whole(objective.model)
            _split_weights(objective, precision_named(config.precision), settings)
        self.engine, self.optimizer, _, _ = deepspeed.initialize(
            model=objective, optimizer=optimizer, config=settings
        )

    def forward(self, batch: ImageBatch, sam: Tensor, clip: Tensor) -> dict[str, Tensor]:
        """See `Engine`."""
        parts: dict[str, Tensor] = self.engine(batch, sam, clip)
        return parts

    @property
    def device(self) -> torch.device:
        """See `Engine`."""
        return self.objective.model.device

    def predict(self, batch: ImageBatch, sam: Tensor, clip: Tensor) -> Predicted:
        """See `Engine`; ZeRO 3 gathers the weights of each module as it is called."""
        self.objective.eval()
        predicted = self.objective.predict(batch, sam, clip)
        self.objective.train()
        return predicted

    def backward(self, loss: Tensor) -> None:
        """See `Engine`; DeepSpeed divides by the number of micro-batches itself."""
        self.engine.backward(loss)
        if not self.engine.is_gradient_accumulation_boundary():
            self.engine.step()

    def step(self, learning_rate: float) -> None:
        """See `Engine`."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.engine.step()
        if self.checks:
            norm = float(self.engine.get_global_grad_norm())
            check_finite(norm if norm >= 0 else math.nan)  # DeepSpeed says -1 for both nan and inf

    def save(self, folder: Path, keeper: bool) -> None:
        """See `Engine`: each rank writes its share.

        Raises:
            OSError: the disk is full, or refuses.

        """
        if self.engine.zero_optimization_stage() < 3:  # else nothing is the same for two ranks
            self.engine.save_non_zero_checkpoint = keeper
        try:
            self.engine.save_checkpoint(
                str(folder), tag=_TAG, save_latest=False, exclude_frozen_parameters=True
            )
        except RuntimeError as error:
            if _TORCH_WRITER not in str(error):
                raise
            raise OSError(
                errno.EIO, f"torch could not write all, as on a full disk ({error})"
            ) from error

    def load(self, folder: Path) -> None:
        """See `Engine`; the number of ranks must be the one that wrote it.

        Raises:
            CheckpointNotFoundError: this rank's share is not there.

        """
        try:
            self.engine.load_checkpoint(str(folder), tag=_TAG, load_module_strict=False)
        except FileNotFoundError as error:
            raise CheckpointNotFoundError(
                f"{folder} lacks the share of a rank: {error}. Machines that share no disk keep "
                "those of their own ranks: give each the --node-rank that it had."
            ) from error


def _keep_towers_whole(model: LisaForCausalLM) -> None:
    """Let ZeRO 3 not see the frozen towers: a rank encodes images when the others need not.

    They stay attributes where they are, but are submodules no more.
    """
    for holder, name in ((model.sam, "image_encoder"), (model, "vision_tower")):
        tower = getattr(holder, name)
        delattr(holder, name)
        object.__setattr__(holder, name, tower)


def _split_weights(objective: nn.Module, dtype: torch.dtype, settings: dict[str, Any]) -> None:
    """Split parameters over the ranks one by one, so that no GPU ever holds all of them."""
    for parameter in objective.parameters():
        parameter.data = parameter.data.to(dtype)  # DeepSpeed casts only what is not split yet
    deepspeed.zero.Init(module=objective, config_dict_or_path=settings)
    device = get_accelerator().current_device_name()
    for buffer in objective.buffers():
        buffer.data = buffer.data.to(device)


def shares_joined(folder: Path) -> dict[str, Tensor]:
    """What learned, float32, by its name in the objective, from the shares that all ranks wrote.

    Raises:
        CheckpointNotFoundError: some of them are not there.

    """
    try:
        joined = get_fp32_state_dict_from_zero_checkpoint(
            str(folder), tag=_TAG, exclude_frozen_parameters=True
        )
    except (FileNotFoundError, ValueError) as error:
        raise CheckpointNotFoundError(
            f"{folder / _TAG} has not the shares of all ranks: {error} Machines that share no disk "
            "keep those of their own ranks: copy the files of this folder from all of them here."
        ) from error
    # DeepSpeed's own pickle, which it has just read in the same way; buffers do not learn.
    first = sorted((folder / _TAG).glob("*model_states.pt"))[0]
    buffers = torch.load(first, map_location="cpu", weights_only=False)["buffer_names"]
    return {name: tensor for name, tensor in joined.items() if name not in buffers}


def holds_shares(folder: Path) -> bool:
    """Whether a state was written by this engine."""
    return (folder / _TAG).is_dir()


def deepspeed_config(config: RunConfig, zero: DeepSpeedSettings, world: int) -> dict[str, Any]:
    """DeepSpeed's own configuration of a run."""
    splitting: dict[str, Any] = {
        "stage": zero.zero_stage,
        "overlap_comm": torch.cuda.is_available(),
        "contiguous_gradients": True,
        "reduce_scatter": True,
        "reduce_bucket_size": _BUCKET,
        "allgather_bucket_size": _BUCKET,
    }
    if zero.offload_optimizer:
        splitting["offload_optimizer"] = {"device": "cpu"}
    if zero.offload_weights:
        splitting["offload_param"] = {"device": "cpu"}
    return {
        "train_micro_batch_size_per_gpu": config.micro_batch,
        "gradient_accumulation_steps": config.accumulation(world),
        "gradient_clipping": config.optimisation.clip_norm,
        "bf16": {"enabled": config.precision == "bf16"},
        "fp16": {"enabled": config.precision == "fp16"},
        "zero_optimization": splitting,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 1 << 62,
    }


def _join() -> None:
    """Join DeepSpeed to the ranks that are there; a process alone becomes a group of one."""
    on_cpu = get_accelerator().device_name() == "cpu"
    backend = "gloo" if on_cpu else "nccl"
    if on_cpu:
        # Its all-reduce in shared memory would be compiled at the first start, for minutes; killed
        # there, it leaves a lock that later starts wait for without end. Gloo does without.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    if not dist.is_initialized():
        os.environ.update(RANK="0", LOCAL_RANK="0", WORLD_SIZE="1")  # DeepSpeed asks for them
        store = dist.HashStore()  # type: ignore[attr-defined]
        dist.init_process_group(backend, store=store, rank=0, world_size=1)
    deepspeed.init_distributed(dist_backend=backend, dist_init_required=False)
