"""A run small enough for tests: a random LISA in a folder, and a lab dataset of three images."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from lab_recordings import write_lab_dataset
from random_lisa import write_random_lisa

ROOT = Path(__file__).parents[2]
# Of `shared_run`: ranks, DeepSpeed's stage -> its configuration, what the run made.
SharedRun = Callable[..., tuple[Path, Path]]


def write_run(folder: Path, **changes: Any) -> Path:
    """Write weights, data and `config.yaml` of a run of 6 steps, and return that path."""
    write_random_lisa(folder / "start")
    write_lab_dataset(folder / "kitchen")
    lab = {"kind": "lab", "folder": str(folder / "kitchen"), "split": "train"}
    config = {
        "out": str(folder / "run"),
        "start": {"lisa": str(folder / "start")},
        "data": [{"name": "lab", "weight": 1, "datasets": [lab]}],
        "steps": 6,
        "images_per_step": 4,
        "micro_batch": 1,
        "precision": "fp32",
        "optimisation": {"learning_rate": 3e-3, "warmup_steps": 2},
        "max_length": 200,
        "save_every": 2,
        "workers": 0,
        "tensorboard": False,
        **changes,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def into(out: Path) -> tuple[str, str]:
    """Where a run of a configuration with kept features writes."""
    return f"out={out}", f"features.folder={out}-features"


def start_training(
    config: Path,
    *overrides: str,
    ranks: int = 1,
    launcher: Sequence[str] = ("--standalone",),
    within: Sequence[str] = (),
) -> subprocess.Popen[str]:
    """Start `python -m training.train`, of several ranks under torchrun with these options.

    within: the words of a command that runs another.
    """
    torchrun = ["-m", "torch.distributed.run", *launcher, f"--nproc-per-node={ranks}"]
    alone = ranks == 1 and "--standalone" in launcher
    command = [sys.executable, *([] if alone else torchrun)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*within, *command, "-m", "training.train", str(config), *overrides],
        cwd=config.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_training(config: Path, *overrides: str, ranks: int = 1) -> str:
    """Train to the end, and return what was printed."""
    process = start_training(config, *overrides, ranks=ranks)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def kill_when(process: subprocess.Popen[str], wanted: Path) -> None:
    """Kill a run and all its processes with SIGKILL as soon as a path exists."""
    deadline = time.monotonic() + 300
    while not wanted.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"{wanted} never came"
        time.sleep(0.002)
    for victim in [process.pid, *_descendants(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
    process.communicate()


def _descendants(pid: int) -> list[int]:
    """The ranks, which the launcher starts in sessions of their own, and what they started."""
    try:
        listed = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it has ended
        return []
    children = [int(child) for line in listed for child in line.split()]
    return children + [below for child in children for below in _descendants(child)]


def losses(run: Path) -> list[dict[str, float]]:
    """The lines of losses.jsonl, without what depends on the clock."""
    lines = (run / "losses.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(x).items() if k != "images_per_s"} for x in lines]
