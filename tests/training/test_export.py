"""From a run to a checkpoint directory."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from block_rooms import block_room
from random_lisa import noise_image, write_random_lisa
from run_setup import write_run

from lisa_ros.errors import CheckpointMismatchError, CheckpointNotFoundError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.checkpoint import load_checkpoint, read_settings, write_settings
from lisa_ros.simulation.storage import write_rooms
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_rooms_that_were_learned_from_are_told(tmp_path: Path) -> None:
    write_rooms(tmp_path / "rooms", [block_room(seed) for seed in (5, 3, 8)])
    rooms = {"kind": "rooms", "folder": str(tmp_path / "rooms")}
    data = [{"name": "rooms", "weight": 1, "datasets": [rooms]}]
    config = load_config(RunConfig, write_run(tmp_path, data=data, steps=1))
    train(config, ALONE)
    export(Path(config.out), tmp_path / "exported")
    assert read_settings(tmp_path / "exported").provenance["room_seeds"] == [3, 8]


@pytest.mark.slow
def test_a_second_training_remembers_the_first_and_loses_its_threshold(tmp_path: Path) -> None:
    first = trained(tmp_path, "steps=1")
    export(Path(first.out), tmp_path / "exported")
    settings = read_settings(tmp_path / "exported")
    provenance = {**settings.provenance, "calibrated_on": {"room_seeds": [100, 101]}}
    calibrated = dataclasses.replace(
        settings, found_threshold=0.4, reliability=((0.5, 0.5),), provenance=provenance
    )
    write_settings(tmp_path / "exported", calibrated)
    again = load_config(
        RunConfig,
        tmp_path / "config.yaml",
        ["steps=1", f"out={tmp_path / 'again'}", f"start.lisa={tmp_path / 'exported'}"],
    )
    train(again, ALONE)
    export(Path(again.out), tmp_path / "second")
    second = read_settings(tmp_path / "second")
    assert (second.found_threshold, second.reliability) == (None, ())
    assert "calibrated_on" not in second.provenance
    assert second.provenance["trained_with"]["start"]["lisa"] == str(tmp_path / "exported")
    assert second.provenance["trained_before"] == [settings.provenance["trained_with"]]


@pytest.mark.slow
def test_what_was_written_wrongly_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = trained(tmp_path, "steps=4")

    def another(*_: object, dtype: torch.dtype) -> object:
        return load_checkpoint(tmp_path / "start", dtype=dtype)

    monkeypatch.setattr(export_module, "load_checkpoint", another)
    assert main([config.out, str(tmp_path / "exported")]) == 1
    assert "answers otherwise" in capsys.readouterr().err


@pytest.mark.slow
def test_what_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotFoundError, match="no state of a run"):
        export(tmp_path, tmp_path / "exported")
    config = trained(tmp_path, "steps=1")
    write_random_lisa(tmp_path / "start", seed=5)
    with pytest.raises(CheckpointMismatchError, match="has changed since"):
        export(Path(config.out), tmp_path / "exported")
    write_random_lisa(tmp_path / "start")
    resolved = Path(config.out) / "config.yaml"
    resolved.write_text(resolved.read_text().replace("rank: 8", "rank: 4"))
    with pytest.raises(CheckpointMismatchError, match="lora"):
        export(Path(config.out), tmp_path / "exported")
    shutil.rmtree(tmp_path / "start")
    with pytest.raises(CheckpointNotFoundError, match="start"):
        export(Path(config.out), tmp_path / "exported")
