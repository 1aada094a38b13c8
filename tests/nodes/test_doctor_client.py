"""What the clients `doctor` and `ask` make of a graph and of an answer. No DDS."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from lisa_ros.action import Reason
from lisa_ros.msg import Perception, Target
from rclpy.node import NodeNameNonExistentError as NodeGoneError
from rclpy.qos import QoSProfile, ReliabilityPolicy

from lisa_ros.diagnosis import Severity
from lisa_ros.nodes.ask import AskClient, exit_code, summary, told
from lisa_ros.nodes.doctor import DoctorClient, diagnosis_of
from lisa_ros.nodes.graph_check import nodes_called, wiring
from lisa_ros.types import Status

IMAGE, STRING = "sensor_msgs/msg/Image", "std_msgs/msg/String"
RELIABLE, HASTY = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


def end(name: str, kind: str, reliability: ReliabilityPolicy) -> Any:
    profile = QoSProfile(depth=1, reliability=reliability)
    return SimpleNamespace(
        node_name=name, node_namespace="/lisa", topic_type=kind, qos_profile=profile
    )


class Graph:
    """Answers as an rclpy node does that looks at the graph; topic → its ends."""

    def __init__(self) -> None:
        self.publishers: dict[str, list[Any]] = {}
        self.subscribers: dict[str, list[Any]] = {}

    def get_node_names_and_namespaces(self) -> list[tuple[str, str]]:
        return [("perception", "/lisa"), ("camera", "/lisa"), ("perception", "/arm")]

    def count_publishers(self, topic: str) -> int:
        return len(self.get_publishers_info_by_topic(topic))

    def get_publishers_info_by_topic(self, topic: str) -> list[Any]:
        return self.publishers.get(topic, [])

    def get_subscriptions_info_by_topic(self, topic: str) -> list[Any]:
        return self.subscribers.get(topic, [])

    def get_subscriber_names_and_types_by_node(self, name: str, namespace: str) -> Any:
        return self._of(self.subscribers, name, namespace)

    def get_publisher_names_and_types_by_node(self, name: str, namespace: str) -> Any:
        return self._of(self.publishers, name, namespace)

    def _of(self, ends: dict[str, list[Any]], name: str, namespace: str) -> Any:
        return [
            (topic, [each.topic_type])
            for topic, listed in ends.items()
            for each in listed
            if (each.node_name, each.node_namespace) == (name, namespace)
        ]


@pytest.fixture
def graph() -> Graph:
    made = Graph()
    made.subscribers["/lisa/image"] = [end("perception", IMAGE, HASTY)]
    made.subscribers["/lisa/instruction"] = [end("perception", STRING, RELIABLE)]
    made.publishers["/lisa/image"] = [end("camera", IMAGE, RELIABLE)]
    made.publishers["/lisa/overlay"] = [end("perception", IMAGE, HASTY)]
    return made


def findings(graph: Graph) -> dict[str, tuple[Severity, str]]:
    found = wiring(graph, "perception", "/lisa")
    return {each.subject: (each.severity, each.finding) for each in found}


def test_all_perception_nodes_are_found(graph: Graph) -> None:
    assert nodes_called(graph, "perception") == [("perception", "/lisa"), ("perception", "/arm")]


def test_inputs_that_are_well(graph: Graph) -> None:
    assert findings(graph) == {
        "input /lisa/image": (Severity.OK, "published by /lisa/camera"),
    }


def test_an_input_that_nobody_publishes(graph: Graph) -> None:
    graph.publishers["/lisa/image"] = []
    assert findings(graph)["input /lisa/image"] == (Severity.WARNING, "nobody publishes it")


def test_an_input_that_few_cameras_need_is_not_missed(graph: Graph) -> None:
    ours = end("perception", "sensor_msgs/msg/CameraInfo", HASTY)
    graph.subscribers["/lisa/depth_camera_info"] = [ours]
    severity, words = findings(graph)["input /lisa/depth_camera_info"]
    assert severity is Severity.OK
    assert "depth that is not registered" in words


def test_an_input_that_cannot_be_heard(graph: Graph) -> None:
    graph.subscribers["/lisa/image"] = [end("perception", IMAGE, RELIABLE)]
    graph.publishers["/lisa/image"] = [end("camera", IMAGE, HASTY)]
    severity, words = findings(graph)["input /lisa/image"]
    assert severity is Severity.BROKEN
    assert "as best effort, volatile, but reliable, volatile is wanted" in words


def test_a_listener_that_cannot_hear_the_node(graph: Graph) -> None:
    graph.subscribers["/lisa/overlay"] = [end("rviz", IMAGE, RELIABLE), end("web", IMAGE, HASTY)]
    severity, words = findings(graph)["output /lisa/overlay"]
    assert severity is Severity.WARNING
    assert words.startswith("/lisa/rviz hears nothing: /lisa/perception publishes")


def test_a_node_without_camera_topics(graph: Graph) -> None:
    del graph.subscribers["/lisa/image"]
    assert findings(graph)["/lisa/perception inputs"][0] is Severity.WARNING


class PatientGraph(Graph):
    """A graph that is discovered in the course of time, with the patience of `lisa doctor`."""

    listen = DoctorClient.listen
    _sees = DoctorClient._sees
    _misses_something = DoctorClient._misses_something
    _said_by = DoctorClient._said_by

    def __init__(self, monkeypatch: pytest.MonkeyPatch, comes_s: dict[str, float]) -> None:
        super().__init__()
        self.now_s, self.comes_s = 0.0, comes_s
        self.subscribers["/lisa/image"] = [end("perception", IMAGE, HASTY)]
        clock = SimpleNamespace(monotonic=lambda: self.now_s)
        monkeypatch.setattr("lisa_ros.nodes.doctor.time", clock)
        monkeypatch.setattr(rclpy, "spin_once", lambda _, timeout_sec: self.pass_time(timeout_sec))

    @property
    def statuses(self) -> dict[str, None]:
        return {"/lisa/perception: camera": None} if self.has_come("words") else {}

    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds

    def has_come(self, what: str) -> bool:
        return self.comes_s.get(what, 0.0) <= self.now_s

    def get_node_names_and_namespaces(self) -> list[tuple[str, str]]:
        there = [("perception", "node"), ("camera", "camera")]
        return [(name, "/lisa") for name, what in there if self.has_come(what)]

    def get_topic_names_and_types(self) -> list[tuple[str, list[str]]]:
        return [("/lisa/image", [IMAGE])]

    def get_publishers_info_by_topic(self, topic: str) -> list[Any]:
        return [end("camera", IMAGE, HASTY)] if self.has_come("camera") else []

    def get_subscriber_names_and_types_by_node(self, name: str, namespace: str) -> Any:
        if self.has_come("end"):
            raise NodeGoneError
        return super().get_subscriber_names_and_types_by_node(name, namespace)


@pytest.mark.parametrize(("late", "quiet_s"), [("words", 0.0), ("node", 2.0), ("camera", 2.0)])
def test_what_is_missed_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, late: str, quiet_s: float
) -> None:
    """And after a change of the graph, whether another one follows."""
    for comes_s, ends_s in ((0.0, 2.0), (5.0, 5.0 + quiet_s), (99.0, 8.0)):
        graph = PatientGraph(monkeypatch, {"end": 1e9, late: comes_s})
        graph.listen(8.0)
        assert graph.now_s == pytest.approx(ends_s, abs=0.21)


def test_a_node_that_ends_meanwhile_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = PatientGraph(monkeypatch, {"end": 1.0})
    graph.listen(4.0)
    assert graph.now_s == pytest.approx(4.0, abs=0.11)


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        (DiagnosticStatus.OK, Severity.OK),
        (DiagnosticStatus.WARN, Severity.WARNING),
        (DiagnosticStatus.ERROR, Severity.BROKEN),
        (DiagnosticStatus.STALE, Severity.BROKEN),
        (b"\x09", Severity.BROKEN),
    ],
)
def test_what_a_node_says_of_itself(level: bytes, severity: Severity) -> None:
    values = [KeyValue(key="depth age [s]", value="never"), KeyValue(key="nothing", value="")]
    status = DiagnosticStatus(level=level, message="no depth", values=values)
    found = diagnosis_of("camera", status)
    assert (found.severity, found.subject, found.finding) == (severity, "camera", "no depth")
    assert found.details == ("depth age [s]: never",)


class Handle:
    """A goal that a node has taken; it ends when it is canceled."""

    accepted = True

    def __init__(self) -> None:
        self.canceled = False

    def cancel_goal_async(self) -> str:
        self.canceled = True
        return "the cancel"

    def get_result_async(self) -> str:
        return "the result"


@pytest.mark.parametrize("impatient_at", ["the goal", "the result"])
def test_an_interrupt_cancels_a_goal_that_is_on_its_way_as_well(
    monkeypatch: pytest.MonkeyPatch, impatient_at: str
) -> None:
    handle, canceled = Handle(), Perception(status=int(Status.CANCELED))
    arrived = {
        "the goal": handle,
        "the cancel": None,
        "the result": SimpleNamespace(result=SimpleNamespace(perception=canceled)),
    }

    def wait(client: AskClient, future: str, timeout_s: float | None) -> Any:
        if future == impatient_at and timeout_s is None:
            raise KeyboardInterrupt
        return arrived[future]

    monkeypatch.setattr(AskClient, "_wait", wait)
    monkeypatch.setattr(AskClient, "_wait_for_node", lambda client, wait_s: None)
    client = object.__new__(AskClient)  # the part of it that is no node
    client._action = SimpleNamespace(send_goal_async=lambda *_: "the goal")
    assert client.ask(Reason.Goal(), 1.0) is canceled
    assert handle.canceled


def test_an_interrupt_is_raised_at_the_next_look_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    monkeypatch.setattr(rclpy, "spin_once", lambda client, timeout_sec: looks.append(timeout_sec))
    client = object.__new__(AskClient)  # the part of it that is no node
    client._interrupted = False
    client.interrupt()
    with pytest.raises(KeyboardInterrupt):
        client._spin()
    assert not looks
    client._spin()
    assert len(looks) == 1


def test_only_found_is_a_success() -> None:
    assert exit_code(Status.FOUND) == 0
    codes = [exit_code(status) for status in Status]
    assert len(set(codes)) == len(codes)
    assert exit_code(Status.NOT_FOUND) == 12
    assert exit_code(0) == 10  # a message that nobody filled in


def test_an_answer_in_words_and_as_json() -> None:
    near = Target(id=1, label="mug", has_position=True, mask_px=120)
    near.position.x, near.position.z = 0.25, 0.8
    answer = Perception(
        status=int(Status.FOUND),
        reason="1 of 2 targets located.",
        response="Sure, [SEG].",
        targets=[near, Target(id=2, mask_px=7)],
        demo_model=True,
    )
    answer.header.frame_id = "camera"
    words = told(answer)
    assert words.startswith("FOUND: 1 of 2 targets located.\n")
    assert "x +0.250  y +0.000  z +0.800 m in camera, 120 px 'mug'" in words
    assert "no position, 7 px" in words
    assert "uncalibrated" in words
    assert "not fit for a robot" in words
    facts = summary(answer)
    assert facts["status"] == "FOUND"
    assert facts["confidence"] is None
    assert [target["position_m"] for target in facts["targets"]] == [[0.25, 0.0, 0.8], None]
    measured = Perception(has_confidence=True, confidence=0.75)
    assert summary(measured)["confidence"] == 0.75
    assert "confidence  0.75" in told(measured)
    assert told(Perception(status=0, reason="?")) == "unknown status 0: ?"
