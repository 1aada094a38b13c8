"""The gradient of a step is that of its mean loss; AdamW, blind to scale, would not tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from run_setup import write_run
from torch import nn

from lisa_ros.errors import ModelError
from training.config import load_config
from training.engine import learning_parameters
from training.ranks import ALONE
from training.run import Run
from training.run_config import RunConfig
from training.run_data import micro_batches
from training.start import load_start, loading_dtype


def opened(folder: Path, *overrides: str) -> Run:
    path = write_run(folder, lora=None, images_per_step=4, micro_batch=1)
    config = load_config(RunConfig, path, overrides)
    loaded = load_start(config.start, folder / "work", 0, dtype=loading_dtype(config))
    return Run(config, loaded, ALONE)


def expected_norm(run: Run) -> float:
    """Of the gradient of the mean loss over the first step's micro-batches, in one go."""
    totals = []
    for batch in first_step(run):
        parts = run.objective(batch, *run.towers(batch))
        totals.append(run.config.loss.total(parts))
    torch.autograd.backward(torch.stack(totals).mean())
    gradients = [p.grad for p in learning_parameters(run.objective) if p.grad is not None]
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm().item()
    run.objective.zero_grad()
    return norm


def first_step(run: Run) -> list:
    batches = micro_batches(run.mixture, run.collator, run.config, ALONE, 0)
    return [next(batches) for _ in range(4)]


def take_step(run: Run) -> None:
    for batch in first_step(run):
        parts = run.engine.forward(batch, *run.towers(batch))
        run.engine.backward(run.config.loss.total(parts))
    run.engine.step(1e-3)


def test_of_the_plain_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = opened(tmp_path)
    clip, norms = nn.utils.clip_grad_norm_, []

    def clipped(parameters: list[nn.Parameter], most: float) -> torch.Tensor:
        norms.append(clip(parameters, most).item())
        return torch.tensor(norms[-1])

    monkeypatch.setattr(nn.utils, "clip_grad_norm_", clipped)
    expected = expected_norm(run)
    take_step(run)
    assert norms == pytest.approx([expected], rel=1e-4)


def ruin_gradients(run: Run) -> None:
    """From now on one of them is no number, though the loss is."""
    run.model.lm_head.weight.register_hook(lambda gradient: gradient * float("nan"))


def test_a_gradient_that_is_no_number_moves_nothing(tmp_path: Path) -> None:
    run = opened(tmp_path)
    before = [p.detach().clone() for p in learning_parameters(run.objective)]
    ruin_gradients(run)
    with pytest.raises(ModelError, match="has the norm nan"):
        take_step(run)
    after = learning_parameters(run.objective)
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))


@pytest.fixture
def group_of_one(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What DeepSpeed makes of a process alone, gone afterwards."""
    for name, value in (("RANK", "0"), ("LOCAL_RANK", "0"), ("WORLD_SIZE", "1")):
        monkeypatch.setenv(name, value)
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # DeepSpeed's
@pytest.mark.usefixtures("group_of_one")
def test_of_deepspeed(tmp_path: Path) -> None:
    expected = expected_norm(opened(tmp_path / "plain"))
    run = opened(tmp_path / "zero", "deepspeed.zero_stage=2")
    take_step(run)
    engine: Any = run.engine
    assert engine.engine.get_global_grad_norm() == pytest.approx(expected, rel=1e-4)
    narrow = opened(tmp_path / "bf16", "deepspeed.zero_stage=2", "precision=bf16")
    for ruined in (run, narrow):
        ruin_gradients(ruined)
        with pytest.raises(ModelError, match="has the norm"):
            take_step(ruined)
