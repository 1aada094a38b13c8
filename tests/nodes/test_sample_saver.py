"""Answers become samples that the validator accepts; by themselves only few of them. No ROS."""

from __future__ import annotations

import json
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lisa_ros.errors import DatasetError, LisaError
from lisa_ros.nodes.answered_sample import CameraPose, answered_sample
from lisa_ros.nodes.answers import Answer, FoundTarget
from lisa_ros.nodes.sample_saver import SampleSaver, SavingRules, worth_saving
from lisa_ros.recordings.dataset_folder import open_dataset
from lisa_ros.recordings.sample import read_sample
from lisa_ros.recordings.validation import folder_findings
from lisa_ros.types import BoolArray, Intrinsics, Lens, NoDepth, RgbdFrame, Segmentation, Status

SIZE = (48, 64)
WAIT_S = 60.0


def box(top: int, left: int, bottom: int, right: int) -> BoolArray:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


MASKS = (box(5, 5, 20, 20), box(30, 30, 44, 60))


def answer(status: Status = Status.FOUND, seg_probability: float = 0.9, **changes: Any) -> Answer:
    depth_m = np.full(SIZE, 1.5, np.float32)
    depth_m[:4] = np.nan
    frame = RgbdFrame(
        image=np.full((*SIZE, 3), 120, np.uint8),
        depth_m=depth_m,
        intrinsics=Intrinsics(60.0, 61.0, 31.5, 23.5, SIZE[1], SIZE[0]),
        frame_id="camera_optical_frame",
        stamp_ns=1_700_000_000_000_000_001,
    )
    found = status is not Status.NOT_FOUND
    masks = np.stack(MASKS) if found else np.zeros((0, *SIZE), bool)
    segmentation = Segmentation(
        text="Sure, [SEG].",
        prompt_text="the red mugs Please output segmentation mask.",
        masks=masks,
        scores=np.full(len(masks), 0.9, np.float32),
        seg_embeddings=np.zeros((len(masks), 3), np.float32),
        seg_probability=seg_probability,
        found=found,
        calibrated=True,
    )
    targets = tuple(
        FoundTarget(rank, mask, 0.9, NoDepth("none", 0.0, int(mask.sum())))
        for rank, mask in enumerate(masks, start=1)
    )
    made = Answer(
        7, "the red mugs", status, "reason", 0, frame, frame.frame_id, segmentation, targets
    )
    return replace(made, **changes)


def rules(folder: Path | None, **changes: Any) -> SavingRules:
    usual = SavingRules(folder, True, sure_from=0.7, interval_s=10.0, most_samples=3)
    return replace(usual, **changes)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def saver(clock: Clock) -> Iterator[SampleSaver]:
    made = SampleSaver("run", clock)
    yield made
    assert made.close(WAIT_S)


def save(saver: SampleSaver, what: Answer, folder: Path | None, note: str = "") -> str:
    pose = CameraPose("base", np.eye(4))
    future = saver.save(what, rules(folder), model="lisa-tiny", pose=pose, note=note)
    return future.result(WAIT_S)


def test_what_is_stored_is_what_was_answered(saver: SampleSaver, tmp_path: Path) -> None:
    stored = answer()
    path = save(saver, stored, tmp_path / "lab", "wrong mug")
    assert path == str(tmp_path / "lab" / "samples" / "run-1" / "000000")
    folder = open_dataset(tmp_path / "lab")
    (finding,) = folder_findings(folder)
    assert finding.severity == "warning"
    assert "nobody has reviewed" in finding.message
    sample = read_sample(folder, "run-1/000000")
    annotation = sample.annotation
    assert annotation.query.texts == ("the red mugs",)
    np.testing.assert_array_equal(annotation.mask(annotation.query) == 1, MASKS[0] | MASKS[1])
    np.testing.assert_array_equal(sample.depth_m, stored.frame.depth_m)
    assert (sample.meta.stamp_color_ns, sample.meta.frame_id, sample.meta.world_frame) == (
        1_700_000_000_000_000_001,
        "camera_optical_frame",
        "base",
    )
    facts = json.loads(Path(f"{path}.json").read_text())["answer"]
    assert (facts["status"], facts["model"], facts["note"], facts["occasion"]) == (
        "FOUND",
        "lisa-tiny",
        "wrong mug",
        "requested",
    )
    assert sample.frame(rectified=folder.about.rectified).intrinsics == stored.frame.intrinsics


def test_an_answer_without_target_says_so(saver: SampleSaver, tmp_path: Path) -> None:
    save(saver, answer(Status.NOT_FOUND), tmp_path / "lab")
    folder = open_dataset(tmp_path / "lab")
    annotation = read_sample(folder, "run-1/000000").annotation
    assert annotation.query.no_target
    assert {finding.severity for finding in folder_findings(folder)} == {"warning"}


def test_a_part_that_was_asked_for_is_the_question(saver: SampleSaver, tmp_path: Path) -> None:
    path = save(saver, answer(refine="which part to hold?"), tmp_path / "lab")
    stored = json.loads(Path(f"{path}.json").read_text())
    assert stored["text"] == ["which part to hold?"]
    assert stored["answer"]["instruction"] == "the red mugs"


def test_a_lens_and_no_depth_at_all_are_stored(saver: SampleSaver, tmp_path: Path) -> None:
    frame = answer().frame
    assert frame is not None
    bent = replace(frame, lens=Lens("equidistant", (0.1, 0.0, 0.0, 0.0)))
    save(saver, answer(frame=bent), tmp_path / "lab")
    flat = replace(frame, depth_m=None, intrinsics=None)
    save(saver, answer(frame=flat), tmp_path / "lab")
    folder = open_dataset(tmp_path / "lab")
    info = read_sample(folder, "run-1/000000").camera_info
    assert info is not None
    assert (info.distortion_model, info.d) == ("equidistant", (0.1, 0.0, 0.0, 0.0))
    assert read_sample(folder, "run-2/000000").depth_m is None
    assert "error" not in {finding.severity for finding in folder_findings(folder)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": Status.STALE_INPUT, "frame": None}, "STALE_INPUT"),
        ({"status": Status.CANCELED}, "CANCELED"),
        ({"instruction": "the <image> of it"}, "<image>"),
        ({"instruction": "[SEG]"}, "[SEG]"),
        ({"instruction": " \0 "}, "nothing to look for"),
        ({"instruction": "mug \udc80"}, ""),
    ],
)
def test_what_no_dataset_may_hold_is_refused(
    saver: SampleSaver, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(LisaError) as refused:
        save(saver, answer(**changes), tmp_path / "lab")
    assert words in str(refused.value)
    assert not (tmp_path / "lab").exists()
    assert saver.state.failed == 1
    assert saver.state.problem == str(refused.value)
    save(saver, answer(), tmp_path / "lab")  # the thread goes on
    assert (saver.state.stored, saver.state.problem) == (1, "")


def test_refusals_before_the_disk(saver: SampleSaver, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="samples_dir is empty"):
        save(saver, answer(), None)
    with pytest.raises(DatasetError, match="characters"):
        save(saver, answer(), tmp_path / "lab", "x" * 5000)
    save(saver, answer(), tmp_path / "lab", "half \udc80 a character")
    (tmp_path / "file").write_text("x")
    with pytest.raises((DatasetError, OSError)):
        save(saver, answer(), tmp_path / "file" / "below")


def test_only_doubtful_answers_are_worth_it(tmp_path: Path) -> None:
    wanted = rules(tmp_path)
    assert worth_saving(answer(Status.NOT_FOUND, 0.1), wanted) == "not found"
    assert worth_saving(answer(Status.FOUND, 0.69), wanted) == "low confidence"
    assert worth_saving(answer(Status.NO_DEPTH, 0.69), wanted) == "low confidence"
    assert worth_saving(answer(Status.FOUND, 0.7), wanted) == ""
    assert worth_saving(answer(Status.CANCELED, 0.1), wanted) == ""
    assert worth_saving(answer(Status.NOT_FOUND, segmentation=None), wanted) == ""
    assert worth_saving(answer(Status.NOT_FOUND), replace(wanted, automatically=False)) == ""
    assert worth_saving(answer(Status.NOT_FOUND), replace(wanted, folder=None)) == ""
    assert worth_saving(answer(Status.NOT_FOUND, followed=True), wanted) == ""
    measured = answer().segmentation
    assert measured is not None
    doubted = replace(measured, confidence=0.5)
    assert worth_saving(answer(segmentation=doubted), wanted) == "low confidence"


def test_automatic_saving_is_rate_limited_and_bounded(
    saver: SampleSaver, clock: Clock, tmp_path: Path
) -> None:
    lost = answer(Status.NOT_FOUND)
    wanted = rules(tmp_path / "lab")

    def consider() -> str | None:
        future = saver.consider(lost, wanted, model="m", pose=None)
        return None if future is None else future.result(WAIT_S)

    stored = []
    for clock.now_s in np.arange(0.0, 30.0, 2.5).tolist():
        stored.append(consider())
    assert [path is not None for path in stored] == [True, False, False, False] * 3
    clock.now_s = 100.0
    with pytest.raises(DatasetError, match="max_samples"):
        consider()
    assert saver.state.stored == 3
    assert save(saver, lost, tmp_path / "lab")  # who asks for it gets it


def test_a_sample_needs_no_pose_or_note() -> None:
    sample = answered_sample(answer(), model="m", occasion="requested")
    assert sample.meta.T_world_camera is None
    assert sample.annotation.awaits_review


def test_a_sample_that_is_stored_is_no_longer_held(saver: SampleSaver, tmp_path: Path) -> None:
    stored = answer()
    held = weakref.ref(stored)
    save(saver, stored, tmp_path / "lab")
    del stored
    given_up_s = time.monotonic() + WAIT_S
    while held() is not None and time.monotonic() < given_up_s:  # the thread does so in a moment
        time.sleep(0.005)
    assert held() is None


def test_what_comes_after_the_end_is_refused(tmp_path: Path) -> None:
    """Its future must end: a service, and with it the end of the process, waits for it."""
    saver = SampleSaver("run")
    assert saver.close(WAIT_S)
    with pytest.raises(DatasetError, match="shutting down"):
        save(saver, answer(), tmp_path / "lab")


def test_a_disk_that_is_behind_takes_no_more(
    saver: SampleSaver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = threading.Event()
    monkeypatch.setattr(saver, "_store", lambda job: str(turns.wait(WAIT_S)))
    rule = rules(tmp_path)
    handed = [saver.save(answer(), rule, model="m", pose=None, note="") for _ in range(9)]
    with pytest.raises(DatasetError, match="4 samples wait for the disk already"):
        handed[-1].result(WAIT_S)
    turns.set()
    assert [future.result(WAIT_S) for future in handed[:4]] == ["True"] * 4
