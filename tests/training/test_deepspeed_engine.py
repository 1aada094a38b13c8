"""DeepSpeed against the plain engine: the same losses, the same weights, the same exact resume."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from free_port import free_port
from run_setup import (
    ROOT,
    SharedRun,
    into,
    kill_when,
    losses,
    run_training,
    start_training,
    write_run,
)

from training.config import load_config
from training.deepspeed_engine import deepspeed_config
from training.engine import read_learned
from training.export import export, main
from training.run_config import DeepSpeedSettings, RunConfig
from training.run_states import newest_state

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("ranks", "stage"), [(1, 2), (2, 2), (2, 3)])
def test_zero_trains_as_the_plain_engine_does(
    tmp_path: Path, shared_run: SharedRun, ranks: int, stage: int
) -> None:
    (_, plain), (_, zero) = shared_run(ranks), shared_run(ranks, stage)
    assert len(losses(zero)) == 6 + 2
    for ours, theirs in zip(losses(zero), losses(plain), strict=True):
        for name, value in theirs.items():
            assert ours[name] == pytest.approx(value, rel=1e-4), (ours["step"], name)
    weights, expected = (read_learned(newest_state(run)) for run in (zero, plain))
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(weights[name], value, rtol=0, atol=2e-4, msg=name)
    export(zero, tmp_path / "exported")


def test_under_deepspeeds_own_launcher_all_is_alike(tmp_path: Path, shared_run: SharedRun) -> None:
    config, under_torchrun = shared_run(2, 2)
    launcher = [sys.executable, "-m", "deepspeed.launcher.runner", "--num_gpus=2"]
    training = ["--module", "training.train", str(config), *into(tmp_path / "run")]
    subprocess.run(
        [*launcher, f"--master_port={free_port()}", *training, "deepspeed={zero_stage: 2}"],
        check=True,
        timeout=300,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    assert losses(tmp_path / "run") == losses(under_torchrun)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    config = write_run(tmp_path, steps=8, precision="bf16", deepspeed={"zero_stage": 2})
    run_training(config, f"out={tmp_path / 'whole'}", ranks=2)
    killed = tmp_path / "killed"
    for name in ("step-00000002", "step-00000004.part"):
        process = start_training(config, f"out={killed}", ranks=2)
        kill_when(process, killed / "states" / name)
    run_training(config, f"out={killed}", ranks=2)
    assert losses(killed) == losses(tmp_path / "whole")


def test_a_share_that_another_machine_keeps_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_run(tmp_path, steps=1, images_per_step=1, deepspeed={"zero_stage": 2})
    run_training(config)
    shares = newest_state(tmp_path / "run") / "zero"
    forget_sizes(shares.parent)
    (own,) = shares.glob("*_optim_states.pt")
    state = torch.load(own, weights_only=False)
    state["optimizer_state_dict"]["partition_count"] = 2  # as if a second rank had trained along
    torch.save(state, own)
    assert main([str(tmp_path / "run"), str(tmp_path / "exported")]) == 1
    told = capsys.readouterr().err
    assert f"error: {shares} has not the shares of all ranks" in told
    own.unlink()
    resumed = start_training(config)
    output, _ = resumed.communicate(timeout=300)
    assert resumed.returncode == 1
    assert "lacks the share of a rank" in output
    assert "Traceback" not in output


def test_a_full_disk_is_said_in_a_sentence(tmp_path: Path) -> None:
    config = write_run(tmp_path, steps=1, images_per_step=1, deepspeed={"zero_stage": 2})
    limited = ("prlimit", "--fsize=300000")  # a state is larger
    training = start_training(config, within=limited)
    output, _ = training.communicate(timeout=300)
    assert training.returncode == 1
    assert "error: The state after 1 steps cannot be written" in output
    assert "Traceback" not in output
    run_training(config)


def forget_sizes(state: Path) -> None:
    """As of a machine that wrote none of its files."""
    progress = json.loads((state / "progress.json").read_text())
    (state / "progress.json").write_text(json.dumps({**progress, "files": {}}))


def test_offload_and_formats_reach_deepspeed(tmp_path: Path) -> None:
    zero = DeepSpeedSettings(3, offload_optimizer=True, offload_weights=True)
    config = load_config(RunConfig, write_run(tmp_path, precision="fp16", deepspeed={}))
    settings = deepspeed_config(config, zero, world=2)
    assert settings["fp16"]["enabled"]
    assert not settings["bf16"]["enabled"]
    assert settings["gradient_accumulation_steps"] == 2
    assert settings["zero_optimization"]["offload_optimizer"] == {"device": "cpu"}
    assert settings["zero_optimization"]["offload_param"] == {"device": "cpu"}
