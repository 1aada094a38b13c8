"""A run on 4-bit frozen layers: they are no part of what is exported."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from run_setup import write_run

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.checkpoint import load_checkpoint
from training.config import load_config
from training.export import export
from training.ranks import ALONE
from training.run import train
from training.run_config import RunConfig


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
