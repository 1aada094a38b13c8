"""The examples of this repository, run as a reader would run them, against the node."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from node_process import REPOSITORY, NodeProcess, node_environment
from red_box_camera import FRAME_ID, RedBoxCamera
from robot_client import WAIT_S

pytestmark = [pytest.mark.ros, pytest.mark.slow]

EXAMPLES = REPOSITORY / "examples"


def run(tmp_path: Path, *command: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    environment = node_environment(tmp_path)
    return subprocess.run(
        [sys.executable, *command],
        cwd=EXAMPLES,
        env=environment,
        input=answer,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def test_asking_by_topic_prints_the_position(
    tmp_path: Path, perception: NodeProcess, camera: RedBoxCamera
) -> None:
    done = run(tmp_path, "ask_by_topic.py", "red box")
    assert done.returncode == 0, done.stderr
    assert "target 1: " in done.stdout
    assert f"m in {FRAME_ID}" in done.stdout


def test_what_is_not_there_is_no_success(
    tmp_path: Path, perception: NodeProcess, camera: RedBoxCamera
) -> None:
    done = run(tmp_path, "ask_by_topic.py", "blue box")
    assert done.returncode == 1, done.stderr


@pytest.mark.parametrize("answers_the_goal", [False, True])
def test_a_node_that_crashes_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch, answers_the_goal: bool
) -> None:
    spec = importlib.util.spec_from_file_location("fetch", EXAMPLES / "fetch_by_action.py")
    assert spec is not None
    assert spec.loader is not None
    fetch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fetch)
    never = SimpleNamespace(done=lambda: False, result=lambda: None)
    handle = SimpleNamespace(get_result_async=lambda: never)
    accepted = SimpleNamespace(done=lambda: True, result=lambda: handle)
    client = SimpleNamespace(
        wait_for_server=lambda timeout_sec: True,
        send_goal_async=lambda goal, feedback_callback: accepted if answers_the_goal else never,
    )
    monkeypatch.setattr(fetch, "ActionClient", lambda *_: client)
    waits: list[float] = []

    def wait(node: Any, future: Any, timeout_sec: float) -> None:
        waits.append(timeout_sec)

    monkeypatch.setattr(fetch.rclpy, "spin_until_future_complete", wait)
    assert fetch.ask(None, "the mug") is None
    assert len(waits) == 1 + answers_the_goal


@pytest.mark.parametrize(
    ("arguments", "answer", "said", "code"),
    [
        ((), "y\n", "demonstration", 1),
        (("--allow-demo-model", "--confidence", "0.8"), "y\n", "75% of such answers", 1),
        (("--allow-demo-model",), "n\n", "did not confirm", 1),
        (("--allow-demo-model",), "y\n", "Reaching for", 0),
    ],
)
def test_the_robot_moves_only_when_all_agree(
    tmp_path: Path,
    perception: NodeProcess,
    camera: RedBoxCamera,
    arguments: tuple[str, ...],
    answer: str,
    said: str,
    code: int,
) -> None:
    done = run(tmp_path, "fetch_by_action.py", "red box", *arguments, answer=answer)
    assert said in done.stdout, done.stdout + done.stderr
    assert done.returncode == code
    # The feedback; an answer as quick as the fake's ends the wait before all of it is read.
    assert "waiting_for_frame" in done.stdout
