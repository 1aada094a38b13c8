"""Two machines, each with a launcher of its own, by the command of the README."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen

import pytest
from free_port import free_port
from run_setup import SharedRun, into, kill_when, losses, start_training

pytestmark = pytest.mark.slow


HERE: tuple[str, ...] = ()


def start_machines(
    config: Path,
    outs: tuple[Path, Path],
    *overrides: str,
    address: str = "127.0.0.1",
    within: tuple[tuple[str, ...], tuple[str, ...]] = (HERE, HERE),
) -> list[Popen[str]]:
    master = ("--nnodes=2", f"--master-addr={address}", f"--master-port={free_port()}")
    return [
        start_training(
            config,
            *into(out),
            *overrides,
            launcher=(*master, f"--node-rank={number}"),
            within=within[number],
        )
        for number, out in enumerate(outs)
    ]


def finish(machines: list[Popen[str]]) -> None:
    for machine in machines:
        output, _ = machine.communicate(timeout=300)
        assert machine.returncode == 0, output


@pytest.mark.parametrize(("disks", "zero"), [(1, None), (2, 2)])
def test_two_machines_train_and_resume_as_two_ranks_of_one(
    tmp_path: Path, shared_run: SharedRun, disks: int, zero: int | None
) -> None:
    config, whole = shared_run(2, zero)
    engine = "deepspeed=null" if zero is None else f"deepspeed={{zero_stage: {zero}}}"
    outs = (tmp_path / "machine0", tmp_path / f"machine{disks - 1}")
    machines = start_machines(config, outs, engine)
    kill_when(machines[1], outs[1] / "states" / "step-00000002")
    kill_when(machines[0], outs[0])
    finish(start_machines(config, outs, engine))
    assert losses(outs[0]) == losses(whole)
    states = [path.name for path in (whole / "states").iterdir()]
    for out in outs:
        assert sorted(path.name for path in (out / "states").iterdir()) == sorted(states)


@pytest.fixture
def hosts() -> Iterator[tuple[str, str]]:
    """Two network namespaces, 10.79.0.1 and 10.79.0.2, joined by a cable."""
    ip = shutil.which("ip")
    if ip is None or os.geteuid() != 0:
        pytest.skip("needs root and iproute2")
    names = (f"train{os.getpid()}a", f"train{os.getpid()}b")
    cable = ["link", "add", "eth0", "netns", names[0], "type", "veth"]
    with ExitStack() as undo:
        for name in names:
            added = subprocess.run([ip, "netns", "add", name], capture_output=True, check=False)
            if added.returncode:
                pytest.skip(f"no network namespaces here: {added.stderr.decode().strip()}")
            undo.callback(subprocess.run, [ip, "netns", "del", name], check=True)
        subprocess.run([ip, *cable, "peer", "name", "eth0", "netns", names[1]], check=True)
        for number, name in enumerate(names, start=1):
            for words in (
                ["addr", "add", f"10.79.0.{number}/24", "dev", "eth0"],
                ["link", "set", "eth0", "up"],
                ["link", "set", "lo", "up"],
            ):
                subprocess.run([ip, "-n", name, *words], check=True)
        yield names


def test_two_hosts_find_each_other_whatever_address_their_names_have(
    tmp_path: Path, shared_run: SharedRun, hosts: tuple[str, str]
) -> None:
    config, whole = shared_run(2, 2)
    outs = (tmp_path / "machine0", tmp_path / "machine1")
    first, second = (("ip", "netns", "exec", host) for host in hosts)
    zero = "deepspeed={zero_stage: 2}"
    finish(start_machines(config, outs, zero, address="10.79.0.1", within=(first, second)))
    assert losses(outs[0]) == losses(whole)
