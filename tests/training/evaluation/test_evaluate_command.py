"""The command as people run it, with the checkpoint that ships, on tiny fixtures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from free_port import free_port
from lab_recordings import write_lab_dataset
from safetensors.torch import load_file, save_file

from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.locations import checkpoint_folder
from lisa_ros.simulation.room import generate_room
from training.evaluate import DOUBTED, main
from training.evaluation.record import read_records
from training.room_evaluation import ask_about_rooms

ROOT = Path(__file__).parents[3]
FIXTURES = Path(__file__).parent.parent / "data" / "fixtures"
REFER = ["--dataset-dir", str(FIXTURES / "refer"), "--dataset", "refcoco|unc|val"]
FAST = ["--max-new-tokens", "4", "--images", "2"]


def printed(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.slow
def test_a_public_set_with_report_and_comparison(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a"
    llava = FIXTURES / "llava"
    talk = [
        str(llava / "llava_dataset" / "llava_instruct_150k.json"),
        str(llava / "coco/train2017"),
    ]
    arguments = [*REFER, *FAST, "--talk", *talk, "--talk-count", "1"]
    # lisa-tiny never learned to talk, and that is no figure of its conversation.
    assert main([*arguments, "--out", str(out)]) == DOUBTED
    line = printed(capsys)
    assert set(line["sets"]["refcoco|unc|val"]) == {"prompted", "generated"}
    assert line["conversation"]["n"] == 1
    names = ["conversations.csv", "records.csv", "report.html", "summary.json"]
    assert sorted(path.name for path in out.iterdir()) == names
    summary = json.loads((out / "summary.json").read_text())
    for mode, figures in line["sets"]["refcoco|unc|val"].items():
        assert summary["sets"]["refcoco|unc|val"][mode]["overall"] == figures
    assert "--talk" in summary["command"]

    assert main(["--compare", str(out), str(out), "--out", str(tmp_path / "c")]) == 0
    rows = printed(capsys)["rows"]
    assert {row["difference"] for row in rows} == {0.0}
    written = sorted(path.name for path in (tmp_path / "c").iterdir())
    assert written == ["comparison.html", "comparison.json"]


@pytest.mark.slow
def test_figures_that_cannot_be_written_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "summary.json").mkdir()
    arguments = [*REFER, *FAST, "--protocol", "prompted", "--out", str(tmp_path)]
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert "summary.json" in told.err
    assert json.loads(told.out.splitlines()[-1])["sets"]["refcoco|unc|val"]["prompted"]["n"]


@pytest.mark.slow
def test_a_model_that_never_expects_to_answer_seg_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = checkpoint_folder("lisa-tiny")
    shutil.copytree(own, tmp_path / "mute")
    weights = load_file(own / "model.safetensors")
    # What it expected most is now the least likely, as it is with another model's words.
    weights["lm_head.weight"] *= -1
    save_file(weights, tmp_path / "mute" / "model.safetensors")
    assert main(["--model", str(tmp_path / "mute"), "--seed", "40000", "--rooms", "2"]) == DOUBTED
    told = capsys.readouterr()
    assert "DOUBTFUL: " in told.err
    assert "tokenizer" in told.err
    assert json.loads(told.out.splitlines()[-1])["n_present"] > 0


@pytest.mark.slow
def test_rooms_are_asked_as_a_robot_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--seed", "40000", "--rooms", "2", "--out", str(tmp_path)]) == 0
    line = printed(capsys)
    assert (line["model"], line["data"], line["rooms"]) == ("lisa-tiny", "tabletop", 2)
    assert line["n_present"] > line["n_absent"] > 0
    engine = LisaEngine.from_pretrained("lisa-tiny", found_threshold=None)
    rooms = [generate_room(seed) for seed in (40_000, 40_001)]
    robot = list(ask_about_rooms(engine, rooms, seed=40_000, split="train", noise=False))
    ours = read_records(tmp_path / "records.csv")
    assert {r.mode for r in ours} == {"prompted"}
    assert [(r.intersection, r.union, r.target_error_m) for r in ours] == [
        (r.intersection, r.union, r.target_error_m) for r in robot
    ]
    assert [r.seg_probability for r in ours] == pytest.approx([r.seg_probability for r in robot])


@pytest.mark.slow
def test_two_processes_give_the_same_files(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    write_lab_dataset(lab)
    for name, processes in (("one", 1), ("two", 2)):
        subprocess.run(
            [
                *(sys.executable, "-m", "torch.distributed.run"),
                *(f"--nproc-per-node={processes}", f"--master-port={free_port()}"),
                *("-m", "training.evaluate", "--lab", str(lab), "--split", "train"),
                *("--max-new-tokens", "4", "--out", str(tmp_path / name)),
            ],
            check=True,
            timeout=1200,
            # As many threads for both: how a sum is shared out shows in its last digits.
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    one, two = (tmp_path / name / "records.csv" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    first, second = (
        json.loads((tmp_path / n / "summary.json").read_text()) for n in ("one", "two")
    )
    assert first["sets"] == second["sets"]
    assert first["sets"]["kitchen|train"]["prompted"]["overall"]["n_lifted"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rooms", "0"], "--rooms is 0"),
        (["--images", "-1"], "--images is -1"),
        (["--model", "nowhere/at-all/x", *REFER], "nowhere"),
        (["--dataset", "ReasonSeg|val"], "--dataset-dir"),
        (["--dataset-dir", "D", "--rooms", "1"], "Nothing in --dataset-dir D is named"),
        ([*REFER, "refcoco|unc|val"], "same name"),
        (["--compare", "nowhere", "nowhere"], "summary.json"),
        (["--out", __file__, *REFER], "cannot be made"),
        (["--seed", "10000000", "--rooms", "3", "--conversation", "chat"], "chat"),
    ],
)
def test_what_cannot_be_evaluated_is_said(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error


def test_a_seed_that_none_can_be_is_refused_before_hours_of_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main([*REFER, "--seed", "-1"])
    assert "-1 is below 0" in capsys.readouterr().err
