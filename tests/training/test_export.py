"""From a run to a checkpoint directory."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from random_lisa import noise_image
from run_setup import write_run

from lisa_ros.errors import CheckpointMismatchError, CheckpointNotFoundError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.checkpoint import load_checkpoint
from training import export as export_module
from training.config import load_config
from training.export import export, main
from training.ranks import ALONE
from training.run import Run, train
from training.run_config import RunConfig
from training.start import load_start


def trained(folder: Path, *overrides: str) -> RunConfig:
    config = load_config(RunConfig, write_run(folder), overrides)
    train(config, ALONE)
    return config


def test_the_checkpoint_answers_as_the_run_does(tmp_path: Path) -> None:
    config = trained(tmp_path)
    out = tmp_path / "exported"
    assert main([config.out, str(out), "--dtype", "fp32"]) == 0
    run = Run(config, load_start(config.start, tmp_path / "work", 0), ALONE)
    run.engine.load(Path(config.out) / "states" / "step-00000006")
    asked = noise_image(60, 80), "Where is the red cup?"
    exported = load_checkpoint(out)
    assert exported.settings.provenance["steps"] == 6
    assert exported.settings.found_threshold is None
    assert not any("lora" in name for name in exported.model.state_dict())
    ours = LisaEngine(exported).segment(*asked)
    start = LisaEngine(load_checkpoint(tmp_path / "start")).segment(*asked)
    loaded = load_start(config.start, tmp_path / "work", 0)
    with_adapters = LisaEngine(
        type(loaded)(**{**vars(loaded), "model": run.model.eval()}), found_threshold=None
    ).segment(*asked)
    np.testing.assert_allclose(ours.seg_embeddings, with_adapters.seg_embeddings, atol=1e-5)
    assert np.abs(ours.seg_embeddings - start.seg_embeddings).max() > 1e-3


def test_what_was_written_wrongly_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = trained(tmp_path, "steps=4")

    def another(*_: object, dtype: torch.dtype) -> object:
        return load_checkpoint(tmp_path / "start", dtype=dtype)

    monkeypatch.setattr(export_module, "load_checkpoint", another)
    assert main([config.out, str(tmp_path / "exported")]) == 1
    assert "answers otherwise" in capsys.readouterr().err


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotFoundError, match="no state of a run"):
        export(tmp_path, tmp_path / "exported")
    config = trained(tmp_path, "steps=1")
    resolved = Path(config.out) / "config.yaml"
    resolved.write_text(resolved.read_text().replace("rank: 8", "rank: 4"))
    with pytest.raises(CheckpointMismatchError, match="lora"):
        export(Path(config.out), tmp_path / "exported")
    shutil.rmtree(tmp_path / "start")
    with pytest.raises(CheckpointNotFoundError, match="start"):
        export(Path(config.out), tmp_path / "exported")
