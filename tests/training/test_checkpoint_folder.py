"""Writing a checkpoint replaces a folder: not one with something else in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_setup import write_run

from lisa_ros.errors import ConfigurationError
from training.checkpoint_folder import check_replaceable
from training.config import load_config
from training.export import main
from training.ranks import ALONE
from training.run import train
from training.run_config import RunConfig


def test_nothing_is_lost_but_an_earlier_checkpoint(tmp_path: Path) -> None:
    check_replaceable(tmp_path / "new")
    check_replaceable(tmp_path)  # empty
    (tmp_path / "thesis.tex").touch()
    for taken in (tmp_path, tmp_path / "thesis.tex"):
        with pytest.raises(ConfigurationError, match="would be lost"):
            check_replaceable(taken)
    (tmp_path / "lisa.json").touch()
    check_replaceable(tmp_path)


@pytest.mark.slow
def test_an_export_spares_the_run_and_what_it_started_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config(RunConfig, write_run(tmp_path), ["steps=1"])
    train(config, ALONE)
    run = Path(config.out)
    for out, reason in ((run, "would be lost"), (tmp_path / "start", "The run started from")):
        before = sorted(path.name for path in out.iterdir())
        assert main([str(run), str(out)]) == 1
        assert reason in capsys.readouterr().err
        assert sorted(path.name for path in out.iterdir()) == before
