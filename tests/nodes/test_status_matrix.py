"""Every status, by topic and by action: answered once, with a sentence, whoever asked.

The desk and the action's server with a node, goals and publishers that only note what they get; the
worker, the answerer and everything between are the real ones.
"""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from answering_parts import SETTINGS, Frames, make_frame
from lisa_ros.action import Reason
from lisa_ros.msg import Perception
from moody_segmenter import MoodySegmenter
from rclpy._rclpy_pybind11 import RCLError
from std_msgs.msg import String

from lisa_ros.nodes import reason_action
from lisa_ros.nodes.answering import Answerer
from lisa_ros.nodes.answers import ABOUT_THE_IMAGE, Answer, NoFrame
from lisa_ros.nodes.conversions import NO_MODEL
from lisa_ros.nodes.instruction_desk import InstructionDesk
from lisa_ros.nodes.parameters import PerceptionParameters
from lisa_ros.nodes.worker import ModelWorker
from lisa_ros.types import Status

WAIT_S = 30.0


class NotingNode:
    """Keeps what is subscribed and offered, and what is published, by name."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Callable[..., Any]] = {}
        self.published: dict[str, list[Any]] = {}
        self.context = SimpleNamespace(ok=lambda: True)
        self.on_published: Callable[[str], None] = lambda name: None

    def create_subscription(self, kind: type, name: str, callback: Any, *_: Any, **__: Any) -> None:
        self.callbacks[name] = callback

    def create_service(self, kind: type, name: str, callback: Any, **_: Any) -> None:
        self.callbacks[name] = callback

    def create_publisher(self, kind: type, name: str, *_: Any, **__: Any) -> SimpleNamespace:
        messages = self.published.setdefault(name, [])

        def publish(message: Any) -> None:
            messages.append(message)
            self.on_published(name)

        return SimpleNamespace(
            publish=publish,
            is_activated=True,
            get_subscription_count=lambda: 0,
            topic_name=name,
        )

    create_lifecycle_publisher = create_publisher

    def resolve_topic_name(self, name: str) -> str:
        return f"/lisa/{name}"

    def get_logger(self) -> SimpleNamespace:
        return SimpleNamespace(info=print, warning=print, error=print)


class NotingServer:
    """Stands for rclpy's ActionServer: only its callback for accepted goals is wanted."""

    def __init__(self, *_: Any, handle_accepted_callback: Any, **__: Any) -> None:
        NotingServer.on_accepted = handle_accepted_callback


class NotingGoal:
    """Stands for rclpy's goal handle; `end` is how it ended."""

    def __init__(self, goal: Reason.Goal) -> None:
        self.request = goal
        self.is_cancel_requested = False
        self.feedback: list[Reason.Feedback] = []
        self.end = ""
        self.result: Reason.Result | None = None
        self.ended = threading.Event()

    def publish_feedback(self, feedback: Reason.Feedback) -> None:
        self.feedback.append(feedback)

    def succeed(self) -> None:
        self.end += "succeeded"

    def canceled(self) -> None:
        self.end += "canceled"

    def abort(self) -> None:
        self.end += "aborted"

    def execute(self, callback: Callable[[Any], Reason.Result]) -> None:
        self.result = callback(self)
        self.ended.set()


class Desk:
    """A desk without ROS. idle: why it cannot answer. frame: what the camera gives."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reason_action, "ActionServer", NotingServer)
        self.node = NotingNode()
        self.parameters = PerceptionParameters()
        self.idle = ""
        self.frames = Frames(make_frame())
        answerer = Answerer(MoodySegmenter(), self.frames)
        self.worker = ModelWorker(lambda request: answerer.answer(request, SETTINGS))
        self.desk = InstructionDesk(
            self.node,
            self.worker,
            idle_reason=lambda: self.idle,
            parameters=lambda: self.parameters,
            model=lambda: NO_MODEL,
            forget=answerer.forget_sessions,
        )
        self.results: list[Perception] = self.node.published["result"]

    def publish(self, instruction: str) -> None:
        self.node.callbacks["instruction"](String(data=instruction))

    def send(self, **goal: Any) -> NotingGoal:
        handle = NotingGoal(Reason.Goal(**goal))
        NotingServer.on_accepted(handle)
        return handle

    def finish(self) -> None:
        """Wait until all that was asked is answered."""
        while self.worker.busy:
            threading.Event().wait(0.005)
        self.worker.run(lambda: None).result(WAIT_S)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    desk = Desk(monkeypatch)
    yield desk
    assert desk.worker.close(WAIT_S)


@dataclasses.dataclass(frozen=True)
class Scene:
    """What leads to a status. frame: instead of the usual one. idle: why the node cannot answer."""

    instruction: str
    frame: Any = None
    idle: str = ""
    timeout_s: float = 0.0


SCENES = {
    Status.FOUND: Scene("the red box"),
    Status.NOT_FOUND: Scene("the green box"),
    Status.NO_DEPTH: Scene("the blue box"),
    Status.STALE_INPUT: Scene("the red box", NoFrame("No image has arrived on /lisa/image.")),
    Status.TRANSFORM_FAILED: Scene("untransformable red box"),
    Status.CANCELED: Scene("slow red box"),
    Status.TIMEOUT: Scene("slow red box", timeout_s=0.05),
    Status.REJECTED: Scene("the red box", idle="The node is inactive. Activate it."),
    Status.ERROR: Scene("crash"),
}


def test_scenes_are_complete() -> None:
    assert set(SCENES) == set(Status)


def prepare(desk: Desk, status: Status) -> Scene:
    scene = SCENES[status]
    desk.idle = scene.idle
    if scene.frame is not None:
        desk.frames.frame = scene.frame
    desk.parameters = PerceptionParameters(answer_timeout_s=scene.timeout_s)
    return scene


def assert_answers(perception: Perception, status: Status, instruction: str) -> None:
    assert (perception.status, perception.instruction) == (status, instruction)
    assert perception.instruction_id == 1
    assert re.fullmatch(r"[A-Z0-9][^\n]+[.?!]", perception.reason), perception.reason
    assert bool(perception.targets) == (status in {Status.FOUND, Status.NO_DEPTH})
    assert (perception.error_code != 0) == (status in {Status.ERROR, Status.TRANSFORM_FAILED})


@pytest.mark.parametrize("status", list(Status), ids=lambda status: status.name)
def test_by_topic(desk: Desk, status: Status) -> None:
    scene = prepare(desk, status)
    desk.publish(scene.instruction)
    if status is Status.CANCELED:
        desk.publish("")
    desk.finish()
    assert_answers(desk.results[0], status, scene.instruction)
    # The empty instruction is answered too.
    assert len(desk.results) == (2 if status is Status.CANCELED else 1)
    if status is not Status.REJECTED:  # which leaves alone what is shown of an earlier answer
        assert desk.node.published["response"][0].data == desk.results[0].response * (
            status in ABOUT_THE_IMAGE
        )


@pytest.mark.parametrize("status", list(Status), ids=lambda status: status.name)
def test_by_action(desk: Desk, status: Status) -> None:
    scene = prepare(desk, status)
    goal = desk.send(instruction=scene.instruction, timeout_s=scene.timeout_s)
    if status is Status.CANCELED:
        goal.is_cancel_requested = True
    assert goal.ended.wait(WAIT_S)
    desk.finish()
    assert_answers(goal.result.perception, status, scene.instruction)
    assert desk.results == [goal.result.perception]
    expected = "succeeded" if status in ABOUT_THE_IMAGE else "aborted"
    assert goal.end == ("canceled" if status is Status.CANCELED else expected)
    stages = list(dict.fromkeys(feedback.stage for feedback in goal.feedback))
    if status in {Status.FOUND, Status.NO_DEPTH}:
        names = ["waiting_for_frame", "encoding", "reasoning", "decoding", "lifting"]
        assert stages == names
        assert [n for n in goal.result.perception.timing_names if "." not in n] == names
    if status is Status.REJECTED:
        assert stages == []


def test_a_goal_says_its_own_policy(desk: Desk) -> None:
    first = desk.send(instruction="slow red box")
    refused = desk.send(instruction="the red box", policy="reject")
    assert refused.ended.wait(WAIT_S)
    assert refused.result.perception.status == Status.REJECTED
    waiting = desk.send(instruction="the blue box", policy="queue")
    assert not waiting.ended.is_set()
    first.is_cancel_requested = True
    assert waiting.ended.wait(WAIT_S)
    assert waiting.result.perception.status == Status.NO_DEPTH
    assert first.end == "canceled"


@pytest.mark.parametrize("by_topic", [True, False])
def test_the_node_says_the_policy_where_nobody_else_does(desk: Desk, by_topic: bool) -> None:
    desk.parameters = PerceptionParameters(policy="reject")
    first = desk.send(instruction="slow red box")
    if by_topic:
        desk.publish("the red box")
    else:
        assert desk.send(instruction="the red box").ended.wait(WAIT_S)
    assert desk.results[-1].status == Status.REJECTED
    assert "policy is reject" in desk.results[-1].reason
    first.is_cancel_requested = True
    assert first.ended.wait(WAIT_S)


def test_the_queue_is_bounded_by_the_parameter(desk: Desk) -> None:
    desk.parameters = PerceptionParameters(policy="queue", queue_size=2)
    first = desk.send(instruction="slow red box")
    while desk.worker.waiting_count:  # until it runs
        threading.Event().wait(0.005)
    waiting = [desk.send(instruction="the red box") for _ in range(2)]
    refused = desk.send(instruction="the red box")
    assert refused.ended.wait(WAIT_S)
    assert "queue_size allows 2" in refused.result.perception.reason
    first.is_cancel_requested = True
    assert all(goal.ended.wait(WAIT_S) and goal.end == "succeeded" for goal in waiting)


def test_a_goal_that_cannot_be_told_of_its_progress_is_answered(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(goal: NotingGoal, feedback: Reason.Feedback) -> None:
        raise RCLError("feedback publisher is invalid")

    monkeypatch.setattr(NotingGoal, "publish_feedback", fail)
    goal = desk.send(instruction="the red box")
    assert goal.ended.wait(WAIT_S)
    assert goal.end == "succeeded"


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        ({"policy": "wait"}, "replace, queue, reject"),
        ({"timeout_s": -1.0}, "timeout_s is -1.0"),
        ({"timeout_s": float("inf")}, "timeout_s is inf"),
        ({"session": "s" * 101}, "101 characters"),
        ({"instruction": " \n"}, "empty"),
    ],
)
def test_goals_that_cannot_be_are_rejected_with_the_reason(
    desk: Desk, goal: dict[str, Any], words: str
) -> None:
    handle = desk.send(**{"instruction": "the red box", **goal})
    assert handle.ended.wait(WAIT_S)
    perception = handle.result.perception
    assert (perception.status, handle.end) == (Status.REJECTED, "aborted")
    assert words in perception.reason


@pytest.mark.parametrize("field", ["instruction", "refine", "session", "policy"])
def test_texts_that_no_model_can_read_are_refused_unread_and_not_repeated(
    desk: Desk, field: str
) -> None:
    handle = desk.send(**{"instruction": "the red box", field: "mug " * 1_000_000})
    assert handle.ended.wait(WAIT_S)
    perception = handle.result.perception
    assert perception.status == Status.REJECTED
    assert len(perception.reason) < 300
    assert len(perception.instruction) + len(perception.session) < 200_000
    assert handle.feedback == []  # nobody has begun to read it


@pytest.mark.parametrize("by_topic", [True, False])
def test_sessions_of_topic_and_action(desk: Desk, by_topic: bool) -> None:
    desk.parameters = PerceptionParameters(session="table")

    def ask(instruction: str) -> Perception:
        if by_topic:
            desk.publish(instruction)
        else:
            assert desk.send(instruction=instruction, session="table").ended.wait(WAIT_S)
        desk.finish()
        return desk.results[-1]

    first, second = ask("the red box"), ask("the red box")
    assert (first.session, second.session) == ("table", "table")
    assert (first.calibrated, second.calibrated) == (True, False)
    desk.publish("")
    desk.finish()
    assert ask("the red box").calibrated


def test_targets_are_labelled_with_what_was_asked(desk: Desk) -> None:
    desk.publish("the red box")
    desk.finish()
    (target,) = desk.results[-1].targets
    assert target.label == "the red box"


def test_answers_of_two_threads_go_out_one_after_the_other(desk: Desk) -> None:
    """Else the response of one would stand beside the result of the other."""
    order: list[str] = []
    lost = Answer(2, "the mug", Status.TIMEOUT, "No answer within 1 s.")
    other = threading.Thread(target=desk.desk.publish, args=[lost])

    def note(name: str) -> None:
        order.append(name)
        if len(order) == 1:
            other.start()
            other.join(0.2)

    desk.node.on_published = note
    desk.desk.publish(dataclasses.replace(lost, instruction_id=1))
    other.join(WAIT_S)
    assert order == ["markers", "response", "result"] * 2
    assert [result.instruction_id for result in desk.results] == [1, 2]
    assert desk.desk.last_answer is lost
