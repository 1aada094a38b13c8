"""Watched sets: scored before a run and at its validations, with a warning when they get worse."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_setup import losses, write_run

from lisa_ros.errors import ConfigurationError
from training.config import load_config
from training.ranks import ALONE
from training.run import Run, train
from training.run_config import RunConfig
from training.run_states import newest_state, read_progress
from training.start import load_start
from training.watch import worsened

CONVERSATIONS = Path(__file__).parent / "data" / "fixtures" / "llava"


def test_what_is_worse_is_said() -> None:
    baseline = {"ade20k/giou": 0.5, "llava_instruct/answer_loss": 2.0, "kitchen|val/giou": 0.1}
    steady = {"ade20k/giou": 0.481, "llava_instruct/answer_loss": 2.09, "kitchen|val/giou": 0.9}
    assert list(worsened(baseline, steady)) == []
    worse = {"ade20k/giou": 0.479, "llava_instruct/answer_loss": 2.11, "kitchen|val/giou": 0.05}
    said = list(worsened(baseline, worse))
    assert [sentence.split(" worsened")[0] for sentence in said] == [
        "ade20k",
        "llava_instruct",
        "kitchen|val",
    ]
    assert "0.500 before the run, 0.479 now" in said[0]


def test_what_is_held_out_is_not_cut_as_what_is_learned(tmp_path: Path) -> None:
    lab = {"kind": "lab", "folder": str(tmp_path / "kitchen"), "split": "val"}
    path = write_run(tmp_path, validation={"data": lab, "every": 3}, watched=[lab], max_length=45)
    config = load_config(RunConfig, path)
    run = Run(config, load_start(config.start, tmp_path / "work", 0), ALONE)
    for held_out in (run.held_out, *run.watch.sets.values()):
        assert held_out is not None
        _, sample = held_out._sample_from(0)
        assert not len(run.collator([sample]).masks[0])
        assert len(held_out.collator([sample]).masks[0]) == len(sample.masks) > 0
    twice = load_config(RunConfig, path, [f"watched=[{lab}, {lab}]"])
    with pytest.raises(ConfigurationError, match=r"kitchen\|val, kitchen\|val"):
        Run(twice, load_start(config.start, tmp_path / "work", 0), ALONE)


@pytest.mark.slow
def test_a_run_that_forgets_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.watch.ANSWER_LOSS_RISE", -0.9)  # as if it had been a tenth before
    lab = {"kind": "lab", "folder": str(tmp_path / "kitchen"), "split": "val"}
    talk = {"kind": "llava_instruct", "folder": str(CONVERSATIONS), "split": "val"}
    talk["options"] = {"val_share": 0.5}
    path = write_run(tmp_path, validation={"data": lab, "every": 3}, watched=[talk])
    config = load_config(RunConfig, path)
    train(config, ALONE)
    key = "llava_instruct_150k|val/answer_loss"
    told = {line["step"]: line[key] for line in losses(Path(config.out)) if key in line}
    assert list(told) == [2, 5]
    baseline = read_progress(newest_state(Path(config.out))).baseline
    assert list(baseline) == [key]
    assert baseline[key] != told[5]
    assert capsys.readouterr().out.count("llava_instruct_150k|val worsened") == 2
