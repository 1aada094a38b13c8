"""Runs of the trainer that several tests compare theirs with; each is trained once."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from run_setup import SharedRun, into, run_training, write_run


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory: pytest.TempPathFactory) -> SharedRun:
    """A run of 6 steps with dropout and a validation every 3, also for tests in other processes.

    Takes the number of ranks and DeepSpeed's stage, and gives the configuration and what it made.
    Those who run the configuration themselves do so `into` their own folders. Features are kept:
    each rank encodes what it has not seen, at times that the others do not know.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of all processes of this test run

    def shared(ranks: int, zero: int | None = None) -> tuple[Path, Path]:
        with (folder / "shared_run.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            config = folder / "shared_run" / "config.yaml"
            if not config.exists():
                config.parent.mkdir()
                lab = {"kind": "lab", "folder": str(config.parent / "kitchen")}
                learned = {**lab, "split": "train", "cache": True}
                write_run(
                    config.parent,
                    data=[{"name": "lab", "weight": 1, "datasets": [learned]}],
                    features={"folder": "set by each run", "max_gb": 1.0},
                    validation={"data": {**lab, "split": "val"}, "every": 3},
                    lora={"dropout": 0.5},
                )
            out = config.parent / f"of_{ranks}_with_{zero}"
            if not out.exists():
                engine = "null" if zero is None else f"{{zero_stage: {zero}}}"
                run_training(config, *into(out), f"deepspeed={engine}", ranks=ranks)
        return config, out

    return shared
