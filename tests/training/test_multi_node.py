"""Two machines, each with a launcher of its own, by the command of the README."""

from __future__ import annotations

from pathlib import Path
from subprocess import Popen

import pytest
from free_port import free_port
from run_setup import kill_when, losses, run_training, start_training, write_run

pytestmark = pytest.mark.slow


def start_machines(config: Path, outs: tuple[Path, Path], *overrides: str) -> list[Popen[str]]:
    master = ("--nnodes=2", "--master-addr=127.0.0.1", f"--master-port={free_port()}")
    return [
        start_training(
            config, f"out={out}", *overrides, launcher=(*master, f"--node-rank={number}")
        )
        for number, out in enumerate(outs)
    ]


def finish(machines: list[Popen[str]]) -> None:
    for machine in machines:
        output, _ = machine.communicate(timeout=300)
        assert machine.returncode == 0, output


@pytest.mark.parametrize(("disks", "zero"), [(1, "null"), (2, "{zero_stage: 2}")])
def test_two_machines_train_and_resume_as_two_ranks_of_one(
    tmp_path: Path, disks: int, zero: str
) -> None:
    config = write_run(tmp_path)
    engine = f"deepspeed={zero}"
    run_training(config, f"out={tmp_path / 'whole'}", engine, ranks=2)
    outs = (tmp_path / "machine0", tmp_path / f"machine{disks - 1}")
    machines = start_machines(config, outs, engine)
    kill_when(machines[1], outs[1] / "states" / "step-00000002")
    kill_when(machines[0], outs[0])
    finish(start_machines(config, outs, engine))
    assert losses(outs[0]) == losses(tmp_path / "whole")
    for out in outs:
        assert [path.name for path in (out / "states").iterdir()] == ["step-00000006"]
