"""The run loop: it learns, it goes on after a kill as if nothing had been, it keeps the best."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
import yaml
from block_rooms import block_room
from run_setup import SharedRun, into, kill_when, losses, run_training, start_training, write_run

from lisa_ros.errors import ConfigurationError, ModelError
from lisa_ros.simulation.storage import write_rooms
from training.config import load_config
from training.engine import read_learned
from training.ranks import ALONE
from training.run import Run, train
from training.run_config import RunConfig
from training.run_states import newest_state, read_progress
from training.start import load_start


def train_here(config: Path, *overrides: str) -> Path:
    settings = load_config(RunConfig, config, overrides)
    train(settings, ALONE)
    return Path(settings.out)


@pytest.mark.slow
def test_a_run_learns_and_leaves_what_it_promises(tmp_path: Path) -> None:
    config = write_run(tmp_path, steps=30, save_every=100, tensorboard=True, lora=None)
    out = train_here(config)
    told = losses(out)
    assert [line["step"] for line in told] == list(range(30))
    assert told[-1]["total"] < 0.7 * told[1]["total"]
    assert told[5]["total"] == pytest.approx(
        told[5]["ce"] + 2 * told[5]["bce"] + 0.5 * told[5]["dice"], rel=1e-5
    )
    record = json.loads((out / "run.json").read_text())
    assert record["datasets"]["kitchen|train"]["drawn"] == 30 * 4
    assert yaml.safe_load((out / "config.yaml").read_text())["optimisation"]["clip_norm"] == 1.0
    assert (out / "training_curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((out / "tensorboard").glob("events.*"))
    assert [path.name for path in (out / "states").iterdir()] == ["step-00000030"]


@pytest.mark.slow
def test_what_is_frozen_stays_and_what_learns_moves(tmp_path: Path) -> None:
    config = load_config(RunConfig, write_run(tmp_path, lora=None, steps=3))
    run = Run(config, load_start(config.start, tmp_path / "work", 0), ALONE)
    before = {name: value.clone() for name, value in run.model.named_parameters()}
    run.go()
    frozen = ("vision_tower.", "model.visual_model.image_encoder.")
    frozen += ("model.visual_model.prompt_encoder.",)
    for name, value in run.model.named_parameters():
        # LISA uses the first of SAM's four masks, and not SAM's own opinion of it.
        unused = re.search(r"iou_prediction|_mlps\.[123]\.", name) is not None
        stays = unused or name.startswith(frozen)
        assert torch.equal(value, before[name]) == stays, name


@pytest.mark.slow
def test_a_run_with_another_configuration_is_refused(tmp_path: Path) -> None:
    config = write_run(tmp_path, steps=1)
    train_here(config)
    with pytest.raises(ConfigurationError, match="a run with steps 1, this one has 2"):
        train_here(config, "steps=2")
    train_here(config, "save_every=7")


@pytest.mark.slow
def test_a_run_does_not_go_on_with_other_data(tmp_path: Path) -> None:
    config = write_run(tmp_path, steps=1)
    record = train_here(config) / "run.json"
    told = json.loads(record.read_text())
    told["datasets"]["kitchen|train"]["images"] -= 1  # as if a frame had been labelled since
    record.write_text(json.dumps(told))
    with pytest.raises(ConfigurationError, match=r"kitchen\|train had \d images .* now it has \d"):
        train_here(config)
    assert json.loads(record.read_text()) == told


def test_a_loss_that_is_no_number_ends_a_run_before_it_is_saved(tmp_path: Path) -> None:
    config = write_run(tmp_path, save_every=1, lora=None)
    with pytest.raises(ModelError, match="is nan"):
        train_here(config, "optimisation.learning_rate=1e30", "optimisation.warmup_steps=1")
    state = newest_state(tmp_path / "run")
    assert len(losses(tmp_path / "run")) == read_progress(state).step


def test_a_length_without_room_for_a_question_is_refused(tmp_path: Path) -> None:
    config = load_config(RunConfig, write_run(tmp_path), ["max_length=20"])
    with pytest.raises(ConfigurationError, match=r"max_length is 20; expected more than the \d+"):
        Run(config, load_start(config.start, tmp_path / "work", 0), ALONE)


@pytest.mark.slow
def test_accumulated_micro_batches_are_the_step_of_one_batch(tmp_path: Path) -> None:
    config = write_run(tmp_path, steps=3, lora=None)
    one = train_here(config, "micro_batch=1", f"out={tmp_path / 'one'}")
    four = train_here(config, "micro_batch=4", f"out={tmp_path / 'four'}")
    # The mean of means is not the mean where images have unequally many answers; the step is alike.
    for ours, theirs in zip(losses(one), losses(four), strict=True):
        assert ours["total"] == pytest.approx(theirs["total"], rel=0.1)


@pytest.mark.slow
def test_two_ranks_train_as_one_does(shared_run: SharedRun) -> None:
    (_, one), (_, two) = (shared_run(ranks) for ranks in (1, 2))
    for ours, theirs in zip(losses(two), losses(one), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, shared_run: SharedRun, ranks: int
) -> None:
    config, whole = shared_run(ranks)
    killed = tmp_path / "killed"
    for name in ("step-00000002", "step-00000004.part"):
        process = start_training(config, *into(killed), ranks=ranks)
        kill_when(process, killed / "states" / name)
    run_training(config, *into(killed), ranks=ranks)
    assert losses(killed) == losses(whole)
    ours, theirs = (read_learned(newest_state(run)) for run in (killed, whole))
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name


@pytest.mark.slow
def test_the_best_state_stays(tmp_path: Path) -> None:
    data = {"kind": "lab", "folder": str(tmp_path / "kitchen"), "split": "val"}
    config = write_run(
        tmp_path, steps=6, save_every=1, validation={"data": data, "every": 1}, lora=None
    )
    out = train_here(config)
    scores = {line["step"] + 1: line["giou"] for line in losses(out) if "giou" in line}
    assert len(scores) == 6
    best = max(scores, key=lambda step: (scores[step], -step))
    progress = read_progress(newest_state(out))
    assert (progress.step, progress.best_step) == (best, best)
    assert progress.best_score == scores[best]
    kept = {path.name for path in (out / "states").iterdir()}
    assert kept == {f"step-{best:08d}", "step-00000006"}


@pytest.mark.slow
def test_rooms_teach_the_temporary_head_until_it_has_faded(tmp_path: Path) -> None:
    write_rooms(tmp_path / "rooms", [block_room(seed) for seed in range(4)])
    options = {"requests_per_image": 2, "bare_answer_share": 0.4, "taught": True}
    rooms = {"kind": "rooms", "folder": str(tmp_path / "rooms"), "options": options, "cache": True}
    config = write_run(
        tmp_path,
        data=[{"name": "rooms", "weight": 1, "datasets": [rooms]}],
        features={"folder": str(tmp_path / "features"), "max_gb": 1.0},
        lora=None,
        head_weight=0.5,
        early_mask_share=0.5,
        mask_grid="decoder",
        steps=20,
    )
    out = train_here(config)
    told = losses(out)
    for step, line in enumerate(told):
        weight = 0.5 * (1 - step / 20)
        expected = line["ce"] + 2 * line["bce"] + 0.5 * line["dice"]
        expected += weight * (line["target"] + line["patches"])
        assert line["total"] == pytest.approx(expected, rel=1e-4)
    assert told[-1]["target"] < told[1]["target"]
    assert not any(name.startswith("head") for name in read_learned(newest_state(out)))
    again = train_here(config, f"out={tmp_path / 'again'}")
    settings = yaml.safe_load(config.read_text())
    settings["data"][0]["datasets"][0]["cache"] = False
    config.write_text(yaml.safe_dump(settings))
    plain = train_here(config, f"out={tmp_path / 'plain'}", "features=null")
    assert losses(again) == told == losses(plain)
