"""What a run tells, and who tells it."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_setup import write_run

from training.config import load_config
from training.ranks import Ranks
from training.run_config import RunConfig
from training.run_log import RunLog, read_losses


@pytest.mark.parametrize("rank", [0, 1])
def test_only_the_first_rank_says_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rank: int
) -> None:
    log = RunLog(tmp_path, load_config(RunConfig, write_run(tmp_path)), 0, Ranks(rank, 2, rank))
    log.step(0, {"total": 1.0})
    log.score(1, {"giou": 0.5})
    log.warn("look at this")
    log.close()
    printed = capsys.readouterr()
    said = "giou 0.5000" in printed.out and "look at this" in printed.out
    assert said == (rank == 0)
    assert (not printed.out and not printed.err) == (rank == 1)
    assert len(read_losses(tmp_path)) == (2 if rank == 0 else 0)
