"""Processes that train together, as `torchrun` starts them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from free_port import free_port
from torch import nn

from lisa_ros.errors import ConfigurationError
from training.ranks import ALONE, Ranks, joined_ranks

# One parameter with a gradient on both ranks and one that rank 1 has no gradient for.
PROGRAM = """
import json, sys
import torch
from torch import nn
from training.ranks import joined_ranks

with joined_ranks() as ranks:
    both, one = nn.Parameter(torch.zeros(2, 3)), nn.Parameter(torch.zeros(4))
    both.grad = torch.full((2, 3), 1.0 + 2 * ranks.rank)
    if ranks.first:
        one.grad = torch.ones(4)
    ranks.average_gradients([both, one])
    answer = {
        "both": both.grad.flatten().tolist(),
        "one": one.grad.tolist(),
        "mean": ranks.mean({"ce": torch.tensor(1.0 + ranks.rank)}),
        "gathered": ranks.gather([ranks.rank, 10 + ranks.rank]),
    }
    with open(f"{sys.argv[1]}/{ranks.rank}.json", "w") as file:
        json.dump(answer, file)
"""

WAITING = """
import os, pathlib, sys, time
from training.ranks import joined_ranks

with joined_ranks() as ranks:
    pathlib.Path(sys.argv[1], f"{os.getpid()}.pid").touch()
    time.sleep(600)
"""


@pytest.mark.slow
def test_ranks_die_with_their_launcher(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(WAITING)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    launcher = subprocess.Popen(
        [*command, f"--master-port={free_port()}", str(program), str(tmp_path)]
    )
    eventually(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
    ranks = [path.stem for path in tmp_path.glob("*.pid")]
    assert all(map(lives, ranks))
    launcher.kill()
    launcher.wait()
    eventually(lambda: not any(map(lives, ranks)))


def lives(pid: str) -> bool:
    """Not so one that is dead, but for which nobody has waited yet."""
    status = Path("/proc", pid, "stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] not in "ZX"


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


@pytest.mark.slow
def test_two_processes_agree_on_the_mean(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    subprocess.run(
        [*launcher, f"--master-port={free_port()}", str(program), str(tmp_path)],
        check=True,
        timeout=120,
    )
    answers = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert answers[0] == answers[1]
    assert answers[0] == {
        "both": [2.0] * 6,
        "one": [0.5] * 4,
        "mean": {"ce": 1.5},
        "gathered": [0, 10, 1, 11],
    }


def test_images_are_shared_evenly_or_not_at_all() -> None:
    assert Ranks(1, 4).share(8) == 2
    assert ALONE.share(7) == 7
    with pytest.raises(ConfigurationError, match="multiple"):
        Ranks(0, 2).share(7)


@pytest.mark.parametrize("launcher", ["LOCAL_WORLD_SIZE", "LOCAL_SIZE"])  # torchrun's, deepspeed's
def test_all_ranks_are_on_one_machine_or_not(
    launcher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOCAL_WORLD_SIZE", "LOCAL_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert ALONE.one_machine
    monkeypatch.setenv(launcher, "2")
    assert Ranks(0, 2).one_machine
    assert not Ranks(0, 4).one_machine


def test_processes_that_nobody_counted_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.ranks._die_with_launcher", lambda: None)
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(ConfigurationError, match="WORLD_SIZE is 8, but LOCAL_RANK"), joined_ranks():
        pass


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.ranks._die_with_launcher", lambda: None)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    for name, value in (("WORLD_SIZE", "8"), ("LOCAL_RANK", "4")):
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(ConfigurationError, match="Process 4 of this machine"),
        joined_ranks(),
    ):
        pass


def test_alone_too_what_has_no_gradient_counts_as_0() -> None:
    parameter = nn.Parameter(torch.ones(3))
    ALONE.average_gradients([parameter])
    assert parameter.grad is not None
    assert not parameter.grad.any()
