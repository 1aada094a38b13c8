"""The demo: its verdicts on made-up replies, and one run of it with the fake backend."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from node_process import FAKE_PERCEPTION

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")
pytest.importorskip("open3d")

from geometry_msgs.msg import PointStamped
from lisa_ros.msg import Perception
from PIL import Image as PilImage
from std_msgs.msg import Header

from lisa_ros.geometry import lift_mask
from lisa_ros.nodes import demo
from lisa_ros.nodes.demo_client import Reply
from lisa_ros.nodes.demo_picture import draw_demo
from lisa_ros.nodes.images import message_from_array
from lisa_ros.simulation.language import judge
from lisa_ros.simulation.requests import default_request
from lisa_ros.simulation.room import Room, generate_room
from lisa_ros.types import Status


@pytest.fixture(scope="module")
def room() -> Room:
    return generate_room(0)


@pytest.fixture(scope="module")
def perfect(room: Room) -> Reply:
    """The reply of a node that knows the truth, to the room's default request."""
    instruction = default_request(room)
    mask = np.isin(room.instances, judge(room, instruction).target_ids)
    x, y, z = lift_mask(mask, room.depth_m, room.intrinsics).position
    point = PointStamped(header=Header(frame_id="camera"))
    point.point.x, point.point.y, point.point.z = float(x), float(y), float(z)
    return Reply(
        result=Perception(instruction=instruction, response="[SEG].", status=Perception.FOUND),
        mask=message_from_array(mask.astype(np.uint8), "mono8", Header()),
        target_point=point,
        latency_ms=12.0,
    )


def replace_status(reply: Reply, status: Status) -> Reply:
    result = Perception(instruction=reply.result.instruction, status=int(status))
    return dataclasses.replace(reply, result=result, mask=None, target_point=None)


def shift_point(reply: Reply, shift_m: float) -> Reply:
    point = PointStamped(header=reply.target_point.header)
    place = reply.target_point.point
    point.point.x, point.point.y, point.point.z = place.x, place.y, place.z + shift_m
    return dataclasses.replace(reply, target_point=point)


def test_truth_itself_is_right(room: Room, perfect: Reply) -> None:
    score = demo.score_reply(room, perfect.result.instruction, perfect)
    assert score.expected == "FOUND"
    assert score.correct is True
    assert score.iou == 1.0
    assert score.target_error_m == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("shift_m", "correct"), [(0.029, True), (0.031, False)])
def test_target_may_be_off_by_three_centimetres(
    room: Room, perfect: Reply, shift_m: float, correct: bool
) -> None:
    score = demo.score_reply(room, perfect.result.instruction, shift_point(perfect, shift_m))
    assert score.target_error_m == pytest.approx(shift_m)
    assert score.correct is correct


def test_wrong_mask_is_wrong(room: Room, perfect: Reply) -> None:
    everything = message_from_array(np.ones(room.instances.shape, np.uint8), "mono8", Header())
    score = demo.score_reply(
        room, perfect.result.instruction, dataclasses.replace(perfect, mask=everything)
    )
    assert score.iou < 0.5
    assert score.correct is False


@pytest.mark.parametrize("status", [Status.NOT_FOUND, Status.NO_DEPTH, Status.ERROR])
def test_present_thing_that_is_not_found_is_wrong(
    room: Room, perfect: Reply, status: Status
) -> None:
    reply = replace_status(perfect, status)
    score = demo.score_reply(room, perfect.result.instruction, reply)
    assert (score.correct, score.iou, score.target_error_m) == (False, 0.0, None)


def test_absent_thing(room: Room, perfect: Reply) -> None:
    refused = replace_status(perfect, Status.NOT_FOUND)
    assert demo.score_reply(room, "the banana", refused).correct is True
    assert demo.score_reply(room, "the banana", perfect).correct is False
    assert demo.score_reply(room, "the banana", refused).iou is None


def test_what_the_room_cannot_judge_has_no_verdict(room: Room, perfect: Reply) -> None:
    score = demo.score_reply(room, "tell me a joke", perfect)
    assert (score.expected, score.correct, score.iou) == (None, None, None)


def test_picture_shows_the_answer(room: Room, perfect: Reply) -> None:
    with_target = np.asarray(draw_demo(room, perfect, "right"))
    without = np.asarray(draw_demo(room, replace_status(perfect, Status.NOT_FOUND), "right"))
    assert with_target.shape == without.shape
    assert with_target.shape[1] > 1200
    assert (with_target != without).any(axis=-1).sum() > 500
    long = dataclasses.replace(perfect, result=Perception(instruction="word " * 5000))
    assert draw_demo(room, long, "").size == (with_target.shape[1], with_target.shape[0])


def run_demo(
    monkeypatch: pytest.MonkeyPatch, perception: tuple[str, ...], *arguments: str
) -> Callable[[], int]:
    """The demo with another program as its perception node."""
    ask = demo.ask_in_room
    monkeypatch.setattr(demo, "ask_in_room", lambda *given: ask(*given, perception))
    monkeypatch.setenv("ROS_DOMAIN_ID", "0")  # so that what the demo sets is taken back
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return lambda: demo.main(arguments)


@pytest.mark.ros
def test_demo_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = run_demo(
        monkeypatch, (FAKE_PERCEPTION,), "--seed=0", "--instruction=the banana",
        f"--output={tmp_path}",
    )  # fmt: skip
    code = run()
    lines = capfd.readouterr().out.strip().splitlines()
    summary: dict[str, Any] = json.loads(lines[-1])
    assert (summary["status"], summary["expected"]) == ("NOT_FOUND", "NOT_FOUND")
    assert (summary["correct"], code) == (True, 0)
    assert summary["instruction"] == "the banana"
    assert summary["latency_ms"] > 0
    assert set(summary) == {
        "instruction", "response", "status", "expected", "correct", "iou", "target_error_m",
        "seg_probability", "latency_ms", "picture",
    }  # fmt: skip
    with PilImage.open(summary["picture"]) as picture:
        assert picture.width > 1200
    assert "the banana" in "\n".join(lines[:-1])


def test_demo_names_a_folder_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run_demo(monkeypatch, (FAKE_PERCEPTION,), f"--output={tmp_path}/file/out")() == 1
    assert f"{tmp_path}/file/out" in json.loads(capsys.readouterr().out.splitlines()[-1])["error"]


@pytest.mark.ros
def test_demo_says_why_it_failed_and_shows_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    dead = ("-c", "raise SystemExit('no such node')")
    assert run_demo(monkeypatch, dead, "--seed=0", f"--output={tmp_path}")() == 1
    output = capfd.readouterr().out
    assert "no such node" in output
    summary = json.loads(output.strip().splitlines()[-1])
    assert (summary["status"], summary["correct"]) == (None, False)
    assert "perception process ended with exit code 1" in summary["error"]
