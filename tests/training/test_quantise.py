"""4-bit frozen layers: near the whole ones, and no part of what is exported."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from random_lisa import random_lisa
from run_setup import write_run
from torch import nn

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.checkpoint import load_checkpoint
from training.config import load_config
from training.export import export
from training.quantise import quantise_layers
from training.ranks import ALONE
from training.run import train
from training.run_config import RunConfig


def test_maps_stay_close_and_nothing_else_is_touched() -> None:
    model = random_lisa(0).model
    states = torch.randn(50, 32, generator=torch.Generator().manual_seed(0))
    plain = model.model.layers[0].mlp.up_proj(states)
    maps = sum(isinstance(m, nn.Linear) for m in model.model.layers.modules())
    linears = sum(isinstance(m, nn.Linear) for m in model.modules())
    quantise_layers(model, torch.float32)
    model.to("cpu")
    quantised = [m for m in model.modules() if isinstance(m, Linear4bit)]
    assert len(quantised) == maps
    assert all(m.weight.dtype == torch.uint8 for m in quantised)
    assert sum(isinstance(m, nn.Linear) for m in model.modules()) == linears
    found = model.model.layers[0].mlp.up_proj(states)
    # 9 % on wide layers; of so few blocks the scales, which are 8-bit themselves, are rough.
    assert 0.01 < (found - plain).norm() / plain.norm() < 0.25


def test_weights_wait_as_they_were_loaded() -> None:
    model = random_lisa(0).model.to(torch.bfloat16)
    loaded = model.model.layers[0].mlp.up_proj.weight
    quantise_layers(model, torch.bfloat16)
    waiting = model.model.layers[0].mlp.up_proj.weight
    assert waiting.dtype == torch.bfloat16
    assert waiting.data_ptr() == loaded.data_ptr()  # not copied


@pytest.mark.slow
def test_a_run_on_4_bits_exports_whole_weights(tmp_path: Path) -> None:
    lora = {"quantise": "nf4", "token_rows": "new"}
    val = {"kind": "lab", "folder": str(tmp_path / "kitchen"), "split": "val"}
    validation = {"data": val, "every": 1}  # evaluated and trained by turns
    at_once = {"learning_rate": 3e-3, "warmup_steps": 0}
    settings = {"lora": lora, "steps": 3, "validation": validation, "optimisation": at_once}
    config = load_config(RunConfig, write_run(tmp_path, precision="bf16", **settings))
    train(config, ALONE)
    export(Path(config.out), tmp_path / "exported", torch.float32)
    start, end = (load_checkpoint(tmp_path / n).model for n in ("start", "exported"))
    frozen = "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(end.state_dict()[frozen], start.state_dict()[frozen])
    adapted = "model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(end.state_dict()[adapted], start.state_dict()[adapted])


def test_zero_3_is_refused(tmp_path: Path) -> None:
    path = write_run(tmp_path, lora={"quantise": "nf4"}, deepspeed={"zero_stage": 3})
    with pytest.raises(ConfigurationError, match="ZeRO 3"):
        load_config(RunConfig, path)
