"""The threshold between yes and no."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab_recordings import write_lab_dataset

from lisa_ros.errors import ConfigurationError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.checkpoint import read_settings
from lisa_ros.model.locations import checkpoint_folder
from lisa_ros.model.prompts import INSTRUCTION_FIELD
from training.calibrate import FOUND_GOAL, REJECT_GOAL, best_threshold, main
from training.evaluation.asking import Protocol
from training.evaluation.opening import open_sets
from training.evaluation.running import Examiner, evaluate_set

probabilities = st.lists(st.floats(0.0, 1.0, width=32), min_size=1, max_size=20)


def margin(present: list[float], absent: list[float], threshold: float) -> float:
    found = float(np.mean(np.asarray(present) >= threshold))
    rejected = float(np.mean(np.asarray(absent) < threshold))
    return min(found - FOUND_GOAL, rejected - REJECT_GOAL)


def test_separable_answers_are_cut_in_the_middle_of_the_gap() -> None:
    assert best_threshold([0.8, 0.9], [0.1, 0.4]) == pytest.approx((0.6, 1.0, 1.0))


def test_one_outlier_does_not_move_the_threshold_to_it() -> None:
    present = [0.9, 0.95, 0.97, 0.99, 0.2]
    absent = [0.1, 0.3, 0.35, 0.4]
    assert 0.4 < best_threshold(present, absent).value < 0.9


def test_both_goals_are_met_where_they_can_be() -> None:
    present = [0.99] * 82 + [0.5] * 6 + [0.01] * 12
    absent = [0.1] * 90 + [0.6] * 8 + [0.995] * 2
    threshold = best_threshold(present, absent)
    assert threshold.found_rate == pytest.approx(0.88)
    assert threshold.reject_rate == pytest.approx(0.90)


@given(probabilities, probabilities)
def test_no_other_threshold_does_better(present: list[float], absent: list[float]) -> None:
    best = margin(present, absent, best_threshold(present, absent).value)
    for other in (0.0, *present, *absent):
        # Just above a value is a different decision from the value itself.
        for threshold in (other, float(np.nextafter(other, 2.0))):
            if 0.0 < threshold < 1.0:
                assert best >= margin(present, absent, threshold) - 1e-9


def test_both_kinds_of_answers_are_needed() -> None:
    with pytest.raises(ConfigurationError, match="present and absent"):
        best_threshold([0.5], [])


def test_a_checkpoint_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nowhere")]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'nowhere'} is not a folder")


def test_rooms_that_it_was_trained_on_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(checkpoint_folder("lisa-tiny"), checkpoint)
    first, last = read_settings(checkpoint).provenance["room_seeds"]
    before = (checkpoint / "lisa.json").read_bytes()
    assert main([str(checkpoint), f"--seed={last}", "--rooms=2"]) == 1
    assert f"trained on rooms {first} to {last}; take others" in capsys.readouterr().err
    assert (checkpoint / "lisa.json").read_bytes() == before


@pytest.mark.slow
def test_a_lab_calibrates_on_its_own_recordings(tmp_path: Path) -> None:
    checkpoint, lab = tmp_path / "checkpoint", tmp_path / "kitchen"
    shutil.copytree(checkpoint_folder("lisa-tiny"), checkpoint)
    write_lab_dataset(lab)
    assert main([str(checkpoint), "--lab", str(lab), "--split", "train"]) == 0
    settings = read_settings(checkpoint)
    assert settings.provenance["calibrated_on"]["sets"] == ["kitchen|train"]
    # The threshold separates as the record says.
    (opened,) = open_sets(None, [], [lab], "train")
    engine = LisaEngine.from_pretrained(
        str(checkpoint), prompt_template=INSTRUCTION_FIELD, found_threshold=None
    )
    found = evaluate_set(Examiner(engine, (Protocol("prompted"),)), opened)
    threshold = settings.found_threshold
    assert threshold is not None
    for present, rate in ((True, "found_rate"), (False, "reject_rate")):
        asked = [r.seg_probability >= threshold for r in found if r.present == present]
        expected = settings.provenance["calibrated_on"][rate]
        assert np.mean(np.array(asked) == present) == pytest.approx(expected, abs=1e-4)


def test_a_lab_that_only_asks_for_what_is_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, lab = tmp_path / "checkpoint", tmp_path / "kitchen"
    shutil.copytree(checkpoint_folder("lisa-tiny"), checkpoint)
    before = (checkpoint / "lisa.json").read_bytes()
    write_lab_dataset(lab)
    assert main([str(checkpoint), "--lab", str(lab), "--split", "val"]) == 1
    assert "without a shape are absent" in capsys.readouterr().err
    assert (checkpoint / "lisa.json").read_bytes() == before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--lab", "LAB", "--rooms", "9"], "--rooms and a set were given"),
        (["--lab", "LAB", "--data", "tabletop", "--seed", "0"], "--data, --seed and a set"),
        (["--dataset-dir", "D", "--dataset", "grefcoco|unc|val", "--seed", "0"], "--seed and a"),
        (["--dataset-dir", "D"], "Nothing in --dataset-dir D is named"),
        (["--dataset-dir", "D", "--lab", "LAB"], "Nothing in --dataset-dir D is named"),
    ],
)
def test_what_would_be_passed_over_is_refused(
    given: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = tmp_path / "kitchen"
    write_lab_dataset(lab)
    given = [str(lab) if word == "LAB" else word for word in given]
    assert main([str(checkpoint_folder("lisa-tiny")), *given]) == 1
    assert capsys.readouterr().err.startswith(f"error: {said}")
