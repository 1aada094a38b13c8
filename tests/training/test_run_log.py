"""What a run tells, and who tells it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from run_setup import write_run

from training.config import load_config
from training.ranks import ALONE, Ranks
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


def test_tensorboard_has_each_global_step_once_after_a_resume(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    config = load_config(RunConfig, write_run(tmp_path, tensorboard=True))
    for first, last in ((0, 4), (2, 6)):  # the second goes on from a state after two steps
        with closing(RunLog(tmp_path, config, first, ALONE)) as log:
            for step in range(first, last):
                log.step(step, {"ce": float(10 * first + step)})
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    told = [(event.step, event.value) for event in events.Scalars("ce")]
    assert told == [(0, 0.0), (1, 1.0), (2, 22.0), (3, 23.0), (4, 24.0), (5, 25.0)]
