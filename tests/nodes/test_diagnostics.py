"""What /diagnostics says of the camera: as the node will judge it when an instruction comes."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("diagnostic_msgs")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus

from lisa_ros.nodes.answer_log import AnswerLog
from lisa_ros.nodes.answers import Answer
from lisa_ros.nodes.camera_alarm import CameraAlarm
from lisa_ros.nodes.diagnostics import NodeState, Phase, diagnostics_message
from lisa_ros.nodes.input_problems import InputLink
from lisa_ros.nodes.rates import RateMeter
from lisa_ros.nodes.sample_saver import SaverState
from lisa_ros.nodes.stream_states import StreamState
from lisa_ros.nodes.topic_publishers import TopicPublishers
from lisa_ros.types import Status


def camera_status(ages_s: dict[str, float | None], frame_age_s: float | None) -> DiagnosticStatus:
    state = NodeState(
        phase=Phase.ACTIVE,
        problem="",
        model="fake",
        device="cpu",
        busy=False,
        last_answer=None,
        inputs={
            name: StreamState(f"/lisa/{name}", received=5, unmatched=0, age_s=age_s)
            for name, age_s in ages_s.items()
        },
        frame_age_s=frame_age_s,
        time_jumps=0,
        max_frame_age_s=1.0,
    )
    return diagnostics_message("/lisa/perception", state, Time()).status[1]


@pytest.mark.parametrize(
    ("depth_age_s", "frame_age_s", "message"),
    [
        (0.1, 0.1, "frames arrive"),
        (None, None, "no depth on /lisa/depth"),
        (3.0, 3.0, "depth on /lisa/depth is 3.0 s old"),
        (0.1, None, "image, depth, camera_info arrive, but no stamps of theirs match"),
        (0.1, 7.0, "theirs match (sync_slop_s); the last that did are 7.0 s old"),
        (-1.7e9, 7.0, "is use_sim_time right"),
        (0.1, -7.0, "the last that did are -7.0 s old"),
    ],
)
def test_camera_is_well_only_if_frames_come_together(
    depth_age_s: float | None, frame_age_s: float | None, message: str
) -> None:
    ages_s = {"image": 0.1, "depth": depth_age_s, "camera_info": 0.1}
    status = camera_status(ages_s, frame_age_s)
    assert message in status.message
    well = message == "frames arrive"
    assert status.level == (DiagnosticStatus.OK if well else DiagnosticStatus.WARN)
    values = {value.key: value.value for value in status.values}
    assert values["frame age [s]"] == ("never" if frame_age_s is None else f"{frame_age_s:.3f}")


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    return {value.key: value.value for value in status.values}


def state_of(**changes: Any) -> NodeState:
    inputs = {
        "depth": StreamState("/lisa/depth", received=0, unmatched=0, age_s=None),
    }
    usual = NodeState(
        phase=Phase.ACTIVE,
        problem="",
        model="fake",
        device="cpu",
        busy=False,
        last_answer=None,
        inputs=inputs,
        frame_age_s=None,
        time_jumps=0,
        max_frame_age_s=1.0,
    )
    return replace(usual, **changes)


def statuses_of(state: NodeState) -> dict[str, DiagnosticStatus]:
    message = diagnostics_message("/lisa/perception", state, Time())
    return {status.name.rpartition(": ")[2]: status for status in message.status}


@pytest.mark.parametrize(
    ("names", "unheard", "level", "message"),
    [
        ((), (), DiagnosticStatus.WARN, "no depth on /lisa/depth (nobody publishes it)"),
        (("/cam",), (), DiagnosticStatus.WARN, "/cam publishes it, but sends nothing"),
        (("/cam",), ("/cam is deaf",), DiagnosticStatus.ERROR, "(/cam is deaf)"),
    ],
)
def test_a_silent_input_is_explained_by_the_graph(
    names: tuple[str, ...], unheard: tuple[str, ...], level: bytes, message: str
) -> None:
    link = InputLink(0.0, 3, "best effort, volatile", TopicPublishers(names, unheard))
    status = statuses_of(state_of(links={"/lisa/depth": link}))["camera"]
    assert message in status.message
    assert status.level == level
    values = values_of(status)
    assert values["depth rate [Hz]"] == "0.0"
    assert values["depth lost on the way"] == "3"
    assert values["depth QoS wanted"] == "best effort, volatile"


def test_loading_memory_latencies_and_samples_are_told() -> None:
    log = AnswerLog()
    for number, ms in enumerate((10.0, 20.0, 90.0)):
        timings_ms = {"encoding": ms, "reasoning": 1.0, "reasoning.prefill": 0.5}
        log.add(Answer(number, "mug", Status.FOUND, "there", timings_ms=timings_ms))
    log.add(Answer(4, "mug", Status.TRANSFORM_FAILED, "no map"))
    log.add(Answer(1, "mug", Status.FOUND, "there", timings_ms={"encoding": 1e4}, followed=True))
    log.add(Answer(4, "mug", Status.TRANSFORM_FAILED, "no map"))
    statuses = statuses_of(
        state_of(
            phase=Phase.LOADING,
            phase_for_s=12.3,
            loading="weights 3 of 12",
            memory={"memory, resident [MiB]": "100"},
            answers=log.statistics(),
            target_frame="map",
            samples=SaverState(stored=2, failed=1, problem="disk full"),
        )
    )
    assert statuses["model"].message == "loading for 12 s: weights 3 of 12"
    assert values_of(statuses["model"])["memory, resident [MiB]"] == "100"
    answers = values_of(statuses["answers"])
    assert answers["encoding [ms]"] == "median 20.0, longest 90.0"
    assert answers["total [ms]"] == "median 21.0, longest 91.0"
    assert answers["FOUND"] == "3"
    assert answers["FOUND, followed"] == "1"
    assert answers["TRANSFORM_FAILED"] == "2"
    assert statuses["transform"].message == "no map"
    assert statuses["samples"].message == "disk full"
    assert {statuses[name].level for name in ("transform", "samples", "model")} == {
        DiagnosticStatus.WARN
    }
    log.add(Answer(5, "mug", Status.FOUND, "there"))
    assert log.statistics().transform_problem == ""


def test_a_rate_is_the_mean_of_the_last_seconds() -> None:
    meter = RateMeter()
    assert meter.read(0.0, 0) is None
    assert meter.read(1.0, 30) == pytest.approx(30.0)
    for second in range(2, 20):
        rate_hz = meter.read(float(second), 30 + 10 * (second - 1))
    assert rate_hz == pytest.approx(10.0)
    assert meter.read(20.0, 5) is None  # another counter
    assert meter.read(21.0, 5) == 0.0


def test_publishers_that_cannot_be_heard_are_named_with_both_profiles() -> None:
    qos = pytest.importorskip("rclpy.qos")
    from lisa_ros.nodes.topic_publishers import compare

    def publisher(name: str, kind: str, reliability: Any) -> Any:
        profile = qos.QoSProfile(depth=1, reliability=reliability)
        return SimpleNamespace(
            node_name=name, node_namespace="/arm", topic_type=kind, qos_profile=profile
        )

    image = "sensor_msgs/msg/Image"
    policy = qos.ReliabilityPolicy
    wanted = qos.QoSProfile(depth=1, reliability=policy.RELIABLE)
    seen = compare(
        "/depth",
        image,
        wanted,
        [
            publisher("good", image, policy.RELIABLE),
            publisher("hasty", image, policy.BEST_EFFORT),
            publisher("zip", "sensor_msgs/msg/CompressedImage", policy.RELIABLE),
        ],
    )
    assert seen.names == ("/arm/good", "/arm/hasty", "/arm/zip")
    hasty, zipped = seen.unheard
    assert "/arm/hasty publishes /depth as best effort, volatile" in hasty
    assert "reliable, volatile is wanted" in hasty
    assert "/arm/zip publishes sensor_msgs/msg/CompressedImage" in zipped


def test_a_camera_that_stays_silent_is_logged_now_and_then() -> None:
    alarm = CameraAlarm()
    said = [alarm.warning(float(second), "no image") for second in range(70)]
    assert [second for second, text in enumerate(said) if text] == [5, 35, 65]
    assert said[5] == "no frame to answer from: no image"
    assert alarm.warning(70.0, "") == ""
    assert alarm.warning(71.0, "no image") == ""  # a hiccup is none
    assert alarm.warning(76.0, "no image")
