"""The lab's experiment: what it holds out, how an interrupted one goes on, one whole trial."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from block_rooms import block_room
from random_lisa import write_random_lisa

from benchmarks.lab_finetune.__main__ import CONFIG, check_apart, main
from benchmarks.lab_finetune.held_out import HELD_OUT, refuse_told
from benchmarks.lab_finetune.kind_questions import KindQuestions
from benchmarks.lab_finetune.results import NEW, OLD, collected, set_figures_of
from benchmarks.lab_finetune.summary import draw, last_line, rows, table
from benchmarks.lab_finetune.trial import Trial, Workshop, run_config
from lisa_ros.errors import ConfigurationError, DatasetError
from lisa_ros.model.checkpoint import read_settings
from lisa_ros.model.settings import LisaSettings
from lisa_ros.simulation.kinds import KINDS, LOOK_ALIKES
from lisa_ros.simulation.needs import NEEDS
from lisa_ros.simulation.storage import write_rooms
from lisa_ros.simulation.vocabulary import ENTRIES
from training.config import load_config
from training.data.room_requests import KindChoice
from training.evaluation.record import Record
from training.run_config import RunConfig
from training.run_record import plain

ROOT = Path(__file__).parents[2]
HELD_OUT_CONFIG = CONFIG.with_name("lisa-tiny-heldout.yaml")


def test_held_out_kinds_resemble_no_other() -> None:
    assert set(HELD_OUT) < set(KINDS)
    assert not set(HELD_OUT) & {kind for pair in LOOK_ALIKES for kind in pair}
    for meaning in (*ENTRIES, *NEEDS):
        assert len(meaning.kinds) == 1 or not meaning.kinds & set(HELD_OUT)


def test_the_base_is_lisa_tiny_but_for_the_kinds() -> None:
    held_out = plain(dataclasses.asdict(load_config(RunConfig, HELD_OUT_CONFIG)))
    usual = plain(dataclasses.asdict(load_config(RunConfig, CONFIG.with_name("lisa-tiny.yaml"))))
    options = held_out["data"][0]["datasets"][0]["options"]
    assert options.pop("without_kinds") == list(HELD_OUT)
    held_out["out"] = usual["out"]
    assert held_out == usual


def settings_after(config: dict[str, Any], *before: dict[str, Any]) -> LisaSettings:
    return LisaSettings(provenance={"trained_with": config, "trained_before": list(before)})


def test_a_base_that_was_told_is_refused() -> None:
    kinds = frozenset(HELD_OUT)
    good, bad = (
        plain(dataclasses.asdict(load_config(RunConfig, CONFIG.with_name(f"{name}.yaml"))))
        for name in ("lisa-tiny-heldout", "lisa-tiny")
    )
    refuse_told(settings_after(good), kinds)
    refuse_told(LisaSettings(provenance={"pretrained_with": {"rooms": "runs/rooms"}}), kinds)
    told = r"clock, headphones, lamp, plant\."
    for settings in (settings_after(bad), settings_after(good, bad), read_settings("lisa-tiny")):
        with pytest.raises(ConfigurationError, match=told):
            refuse_told(settings, kinds)
    with pytest.raises(ConfigurationError, match=r"find: mug\."):
        refuse_told(settings_after(good), frozenset({"mug", "clock"}))


def test_questions_keep_to_the_kinds_and_are_the_same_every_time(tmp_path: Path) -> None:
    write_rooms(tmp_path, [block_room(seed) for seed in range(4)])

    def asked(kinds: KindChoice) -> list[list[tuple[str, str]]]:
        questions = KindQuestions(
            NEW, tmp_path, kinds, requests_per_room=3, template="{instruction} Go!"
        )
        assert len(questions) == 4
        found = []
        for seed in range(4):
            image, room = questions.image(seed), block_room(seed)
            assert len({question.text for question in image.questions}) == 3
            for question in image.questions:
                (target,) = [item for item in room.objects if item.kind == question.source]
                np.testing.assert_array_equal(question.target, room.mask([target.id]))
                assert question.text.endswith(" Go!")
            found.append([(question.text, question.source) for question in image.questions])
        return found

    only = asked(KindChoice(only=frozenset({"ball"})))
    assert {kind for image in only for _, kind in image} == {"ball"}
    assert only == asked(KindChoice(only=frozenset({"ball"})))
    without = asked(KindChoice(without=frozenset({"ball"})))
    assert {kind for image in without for _, kind in image} == {"mug"}
    assert not any("ball" in text.lower() for image in without for text, _ in image)


def test_no_room_is_both_learned_from_and_asked_about(tmp_path: Path) -> None:
    for name, seeds in (("a", (0, 1, 1)), ("b", (2, 3)), ("c", (3, 4))):
        write_rooms(tmp_path / name, [block_room(seed) for seed in seeds])
    check_apart([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(ConfigurationError, match=r"b and .*c both hold the room of seed 3\."):
        check_apart([tmp_path / name for name in "abc"])


def test_a_trial_starts_at_the_base_and_replays_the_other_kinds(tmp_path: Path) -> None:
    config = load_config(RunConfig, CONFIG, ["steps=7"])
    workshop = Workshop(Path("base"), ("mug",), Path("fresh"), Path("known"), config, tmp_path)
    made = run_config(workshop, Trial(10, 2), Path("frames"), Path("run"))
    assert (made.start.lisa, made.out, made.seed, made.steps) == ("base", "run", 2, 7)
    lab, kept = (group.datasets[0] for group in made.data)
    assert (lab.folder, lab.split) == ("frames", "train")
    assert [group.weight for group in made.data] == [1, 1]
    assert made.validation is not None
    assert (made.validation.data.folder, made.validation.every) == ("frames", 7)
    for rooms in (kept, *made.watched):
        assert (rooms.folder, rooms.options["without_kinds"]) == ("known", ["mug"])


def record(form: str, kind: str, target_px: int, intersection: int) -> Record:
    return Record(
        dataset=NEW,
        mode="prompted",
        index=0,
        image="room 0",
        number=0,
        width_px=64,
        height_px=48,
        form=form,
        source=kind,
        question="",
        answer="",
        masks=1,
        target_px=target_px,
        predicted_px=100,
        intersection=intersection,
        union=100,
        seg_probability=0.9,
        target_error_m=None,
        miss=None,
    )


def test_figures_by_form_and_kind() -> None:
    records = [
        record("name", "lamp", 100, 80),
        record("implicit", "clock", 100, 40),
        record("attribute", "lamp", 100, 0),
    ]
    found = set_figures_of(records)
    assert (found["giou"], found["n"]) == (pytest.approx(0.4), 3)
    assert found["kind_alone"] == {"giou": pytest.approx(0.6), "n": 2}
    assert found["forms"]["attribute"] == {"giou": 0.0, "n": 1}
    assert found["kinds"]["lamp"] == {"giou": pytest.approx(0.4), "n": 2}


def figures(giou: float) -> dict[str, Any]:
    brief = {"giou": giou, "n": 1}
    return {**brief, "kind_alone": brief, "forms": {"name": brief}, "kinds": {}}


def test_finished_trials_are_not_done_again(tmp_path: Path) -> None:
    path, done = tmp_path / "out" / "results.json", []

    def before() -> dict[str, Any]:
        done.append("before")
        return {NEW: figures(0.1), OLD: figures(0.8)}

    def after(trial: Trial) -> dict[str, Any]:
        if trial == broken:
            raise DatasetError("no power")
        done.append(trial.name)
        return {NEW: figures(0.5 + trial.seed / 10), OLD: figures(0.79)}

    trials, broken = [Trial(10, 0), Trial(10, 1), Trial(100, 0)], Trial(100, 0)
    setup = {"kinds": ["mug"], "base": "abc"}
    with pytest.raises(DatasetError, match="no power"):
        collected(path, setup, trials, before, after)
    assert done == ["before", "frames-010-seed-0", "frames-010-seed-1"]
    kept = json.loads(path.read_text())
    assert list(kept["trials"]) == done[1:]

    broken = Trial(0, 0)
    results = collected(path, setup, trials, before, after)
    assert done[3:] == ["frames-100-seed-0"]
    assert json.loads(path.read_text()) == results
    assert results["before"] == kept["before"]
    assert collected(path, setup, [], before, after) == results
    assert len(done) == 4

    with pytest.raises(ConfigurationError, match="another base"):
        collected(path, {**setup, "base": "abd"}, trials, before, after)
    path.write_text("[]")
    with pytest.raises(DatasetError, match="Move it away"):
        collected(path, setup, trials, before, after)


def test_the_summary_tells_means_and_spread(tmp_path: Path) -> None:
    gious = {(25, 0): (0.5, 0.78), (25, 1): (0.7, 0.82), (10, 0): (0.4, 0.8)}
    trials = {
        Trial(*key).name: {**Trial(*key)._asdict(), NEW: figures(new), OLD: figures(old)}
        for key, (new, old) in gious.items()
    }
    before = {NEW: figures(0.15), OLD: figures(0.81)}
    results = {"setup": {"kinds": ["mug"]}, "before": before, "trials": trials}
    few, more = rows(results)
    assert (few.frames, few.seeds, more.frames, more.seeds) == (10, 1, 25, 2)
    assert more.new == pytest.approx((0.6, 0.5, 0.7))
    assert more.kept == pytest.approx((-0.01, -0.03, 0.01))
    assert "0.600 (0.500..0.700)" in table(results)
    line = json.loads(json.dumps(last_line(results)))
    assert line["after"][1][NEW] == {"mean": 0.6, "lowest": 0.5, "highest": 0.7}
    draw(results, tmp_path / "results.png")
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_whole_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)  # where `python -m training.train` is found
    write_random_lisa(tmp_path / "base")
    out = tmp_path / "out"
    for folder, seeds in (("known", range(3)), ("out/rooms/lab", range(3, 16))):
        write_rooms(tmp_path / folder, [block_room(seed) for seed in seeds])
    write_rooms(out / "rooms" / "unseen", [block_room(seed) for seed in range(20, 22)])
    small = ("steps=2", "images_per_step=2", "micro_batch=1", "precision=fp32", "workers=0")
    settings = (*small, "tensorboard=false", f"features.folder={tmp_path}/features")
    arguments = ["--base", str(tmp_path / "base"), "--rooms", str(tmp_path / "known")]
    arguments += ["--out", str(out), "--frames", "2", "--seeds", "5", "--kinds", "ball"]
    arguments += ["--things", "1"]
    for setting in (*settings, "validation.images=1", "optimisation.warmup_steps=1"):
        arguments += ["--set", setting]

    assert main(arguments) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert first["kinds"] == ["ball"]
    assert [(row["frames"], row["seeds"]) for row in first["after"]] == [(2, 1)]
    results = json.loads((out / "results.json").read_text())
    trial = results["trials"]["frames-002-seed-5"]
    for found in (results["before"], trial):
        assert list(found[NEW]["kinds"]) == ["ball"]
        assert list(found[OLD]["kinds"]) == ["mug"]
    folder = out / "trials" / "frames-002-seed-5"
    assert read_settings(folder / "checkpoint").provenance["steps"] == 2
    assert (out / "results.png").exists()

    (folder / "config.yaml").unlink()
    assert main(arguments) == 0
    assert not (folder / "config.yaml").exists()
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == first
