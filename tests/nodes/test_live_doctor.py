"""`lisa doctor`, `lisa ask` and save_sample with the real node over DDS, with the fake backend."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from diagnostic_msgs.msg import DiagnosticStatus
from lisa_ros.srv import SaveSample
from node_process import FAKE_PERCEPTION, REPOSITORY, NodeProcess, StartNode, node_environment
from rclpy.qos import qos_profile_sensor_data
from red_box_camera import RedBoxCamera
from robot_client import RobotClient, wait_until
from sensor_msgs.msg import CameraInfo, Image

from lisa_ros.diagnosis import Diagnosis, Severity
from lisa_ros.recordings.dataset_folder import open_dataset
from lisa_ros.recordings.sample import read_sample
from training.data.__main__ import main as training_data

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.usefixtures("perception")]
TIMEOUT_S = 300.0


def run(module: str, *arguments: str, log_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        env=node_environment(log_dir),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


def look(log_dir: Path) -> tuple[int, dict[str, Diagnosis]]:
    done = run("lisa_ros.nodes.doctor", "--wait", "60", log_dir=log_dir)
    found = [Diagnosis.from_line(line) for line in done.stdout.splitlines()]
    assert found, done.stderr
    return done.returncode, {finding.subject: finding for finding in found}


def status_of(robot: RobotClient, part: str) -> DiagnosticStatus | None:
    messages = list(robot.received["/diagnostics"])
    found = [s for message in messages for s in message.status if s.name.endswith(part)]
    return found[-1] if found else None


def test_a_node_that_is_well(robot: RobotClient, camera: RedBoxCamera, tmp_path: Path) -> None:
    robot.ask("the red box")
    robot.received["/diagnostics"].clear()
    wait_until(lambda: status_of(robot, "/lisa/perception: camera"), "diagnostics")
    code, found = look(tmp_path)
    assert code == 0, found
    assert found["/lisa/perception camera"].finding == "frames arrive"
    details = "\n".join(found["/lisa/perception camera"].details)
    for fact in ("image rate [Hz]: ", "depth unmatched: ", "camera_info offset [s]: ",
                 "image publishers: /lisa/robot", "image lost on the way: "):  # fmt: skip
        assert fact in details, details
    assert found["input /lisa/image"].severity is Severity.OK
    assert "FOUND: " in "\n".join(found["/lisa/perception answers"].details)
    assert "memory, resident [MiB]" in "\n".join(found["/lisa/perception model"].details)


def test_publishers_that_cannot_be_heard(
    robot: RobotClient, camera: RedBoxCamera, start_node: StartNode, tmp_path: Path
) -> None:
    publishers = [
        robot.node.create_publisher(kind, f"/deaf/{topic}", qos_profile_sensor_data)
        for topic, kind in (("image", Image), ("depth", Image), ("camera_info", CameraInfo))
    ]
    overrides = tmp_path / "qos.yaml"
    overrides.write_text(
        "/**:\n  ros__parameters:\n    qos_overrides:\n      /deaf/image:\n"
        "        subscription:\n          reliability: reliable\n"
    )
    arguments = ("--ros-args", "-r", "__ns:=/deaf", "--params-file", str(overrides))
    process = start_node("deaf", FAKE_PERCEPTION, *arguments, model="fake")

    def is_told() -> bool:
        status = status_of(robot, "/deaf/perception: camera")
        return status is not None and status.level == DiagnosticStatus.ERROR

    wait_until(is_told, f"the clash to be told: {process.log}")
    status = status_of(robot, "/deaf/perception: camera")
    assert status is not None
    assert "as best effort, volatile, but reliable, volatile is wanted" in status.message

    def look_at_it() -> tuple[int, dict[str, Diagnosis]] | None:
        code, found = look(tmp_path)
        return (code, found) if "/deaf/perception camera" in found else None

    # A look may end before this node is discovered, where the other one is well.
    code, found = wait_until(look_at_it, "the doctor to see the node")
    assert code == 1
    assert found["input /deaf/image"].severity is Severity.BROKEN, found
    assert found["input /deaf/depth"].severity is Severity.OK, found
    assert process.end() == 0, process.log
    assert "its QoS differs in RELIABILITY" in process.log
    for publisher in publishers:
        robot.node.destroy_publisher(publisher)


@pytest.mark.parametrize(
    ("sentence", "code", "status"),
    [("the red box", 0, "FOUND"), ("the green box", 12, "NOT_FOUND")],
)
def test_asking(
    camera: RedBoxCamera, tmp_path: Path, sentence: str, code: int, status: str
) -> None:
    done = run("lisa_ros.nodes.ask", sentence, "--json", "--wait", "60", log_dir=tmp_path)
    assert done.returncode == code, done.stderr
    assert json.loads(done.stdout)["status"] == status


def test_asking_where_nobody_is(tmp_path: Path) -> None:
    arguments = ("the mug", "--namespace", "/nowhere", "--wait", "1")
    done = run("lisa_ros.nodes.ask", *arguments, log_dir=tmp_path)
    assert done.returncode == 1
    assert "lisa doctor" in done.stderr


def test_an_interrupt_cancels_what_was_asked(camera: RedBoxCamera, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lisa_ros.nodes.ask", "slow red box", "--json"]
    with subprocess.Popen(
        [*command, "--wait", "60"],
        cwd=REPOSITORY,
        env=node_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as asking:
        assert asking.stderr is not None
        told = list(itertools.takewhile(lambda line: "word" not in line, asking.stderr))
        assert "  reasoning ...\n" in told  # and now the model is talking
        asking.send_signal(signal.SIGINT)
        said, _ = asking.communicate(timeout=TIMEOUT_S)
    assert asking.returncode == 16
    assert json.loads(said)["reason"] == "The client canceled the goal."


@pytest.mark.parametrize("namespace", ["my arm", "/lisa/"])
def test_asking_under_a_name_that_cannot_be(tmp_path: Path, namespace: str) -> None:
    done = run("lisa_ros.nodes.ask", "the mug", "--namespace", namespace, log_dir=tmp_path)
    assert done.returncode == 1
    assert "Invalid namespace" in done.stderr
    assert "Traceback" not in done.stderr


def save(robot: RobotClient, note: str = "") -> SaveSample.Response:
    return robot.call(SaveSample, "save_sample", SaveSample.Request(note=note))


def test_samples_are_stored_and_accepted(
    robot: RobotClient, perception: NodeProcess, camera: RedBoxCamera, tmp_path: Path
) -> None:
    robot.ask("the red box")
    refused = save(robot)
    assert not refused.success
    assert "samples_dir" in refused.message
    lab = tmp_path / "lab"
    assert robot.set_parameter("samples_dir", str(lab)) == ""
    robot.ask("the red box")
    stored = save(robot, "as it should be")
    assert stored.success, stored.message
    assert stored.sample.startswith(str(lab))
    assert robot.set_parameter("save_automatically", True) == ""
    robot.ask("the green box")
    wait_until(lambda: len(open_dataset(lab).split_stems("train")) == 2, "the automatic sample")
    assert robot.set_parameter("save_automatically", False) == ""
    folder = open_dataset(lab)
    first, second = (read_sample(folder, stem) for stem in folder.stored_stems())
    assert first.annotation.query.texts == ("the red box",)
    assert first.frame(rectified=False).intrinsics is not None
    assert first.depth_m is not None
    assert second.annotation.query.no_target
    assert training_data(["validate", str(lab)]) == 0
    assert robot.set_parameter("samples_dir", "") == ""
    assert perception.is_running()
