"""The timer and the service of following, on a node of paper; only the worker is real."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from std_srvs.srv import SetBool

from lisa_ros.nodes.answers import Answer, Policy, Request, StopSignal, unanswered
from lisa_ros.nodes.follower import Follower
from lisa_ros.nodes.parameters import PerceptionParameters
from lisa_ros.nodes.worker import ModelWorker
from lisa_ros.types import Status

ANSWER = Answer(1, "the red box", Status.FOUND, "followed", followed=True)


class PaperNode:
    """Keeps what is created on it."""

    def __init__(self) -> None:
        self.timer = SimpleNamespace(timer_period_ns=0)
        self.set: list[Any] = []
        self.errors: list[str] = []

    def create_timer(self, period_s: float, callback: Callable[[], None], **_: Any) -> Any:
        self.timer.timer_period_ns = round(1e9 * period_s)
        self.tick = callback
        return self.timer

    def create_service(self, kind: type, name: str, callback: Any, **_: Any) -> None:
        self.serve = callback

    def set_parameters(self, parameters: list[Any]) -> list[Any]:
        self.set += [(parameter.name, parameter.value) for parameter in parameters]
        return [SimpleNamespace(successful=True, reason="")]

    def get_logger(self) -> Any:
        return SimpleNamespace(error=self.errors.append)


class PaperPerceiver:
    """Follows for as long as `goes_on` is not set."""

    def __init__(self) -> None:
        self.is_following = True
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.began = threading.Event()
        self.steps = 0
        self.preempted: list[bool] = []
        self.fails = False

    def follow(self, parameters: PerceptionParameters, preempted: Callable[[], bool]) -> Any:
        self.steps += 1
        self.began.set()
        assert self.goes_on.wait(30)
        self.preempted.append(preempted())
        if self.fails:
            raise RuntimeError("a library failed")
        return ANSWER

    def stop_following(self) -> None:
        self.is_following = False


class Desk:
    """A follower with all around it."""

    def __init__(self) -> None:
        self.node, self.perceiver = PaperNode(), PaperPerceiver()
        self.worker = ModelWorker(lambda request: unanswered(request, Status.FOUND, "answered"))
        self.parameters = PerceptionParameters(follow=True)
        self.is_active = True
        self.published: list[Answer] = []
        self.follower = Follower(
            self.node,
            self.worker,
            self.perceiver,  # type: ignore[arg-type]
            parameters=lambda: self.parameters,
            is_active=lambda: self.is_active,
            publish=self.published.append,
        )

    def tick(self) -> None:
        self.node.tick()

    def settle(self) -> None:
        """Wait until the step is done, without making it give way, and the worker is idle."""
        if self.follower._pending is not None:
            futures.wait([self.follower._pending], 30)
        self.worker.run(lambda: None).result(30)


@pytest.fixture
def desk() -> Any:
    desk = Desk()
    yield desk
    desk.perceiver.goes_on.set()
    assert desk.worker.close(30)


def test_each_tick_is_a_step_whose_answer_is_published(desk: Desk) -> None:
    for _ in range(3):
        desk.tick()
        desk.settle()
    assert desk.published == [ANSWER] * 3


def test_a_step_that_takes_long_is_not_queued_again(desk: Desk) -> None:
    desk.perceiver.goes_on.clear()
    for _ in range(5):
        desk.tick()
    assert desk.perceiver.began.wait(30)
    desk.tick()
    desk.perceiver.goes_on.set()
    desk.settle()
    assert desk.perceiver.steps == 1


def test_a_step_sees_that_an_instruction_waits(desk: Desk) -> None:
    desk.perceiver.goes_on.clear()
    desk.tick()
    assert desk.perceiver.began.wait(30)
    answered = threading.Event()
    request = Request(2, "?", StopSignal(), lambda *_: None, lambda _: answered.set())
    desk.worker.submit(request, Policy.REPLACE, 1)
    desk.tick()
    desk.perceiver.goes_on.set()
    assert answered.wait(30)
    assert desk.perceiver.preempted == [True]
    assert desk.perceiver.steps == 1


@pytest.mark.parametrize("what", ["clear or a transition", "deactivated", "switched off", "closed"])
def test_a_step_makes_way_for_more_than_instructions(desk: Desk, what: str) -> None:
    """Or a question that is asked again, which may take long, would be answered after the end."""
    desk.perceiver.goes_on.clear()
    desk.tick()
    assert desk.perceiver.began.wait(30)
    if what == "deactivated":
        desk.is_active = False
    elif what == "switched off":
        desk.parameters = PerceptionParameters()
    elif what == "closed":
        assert not desk.worker.close(0.0)
    else:
        desk.worker.run(lambda: None)
    desk.perceiver.goes_on.set()
    while not desk.perceiver.preempted:
        threading.Event().wait(0.005)
    assert desk.perceiver.preempted == [True]


def test_a_step_that_waited_for_its_turn_sees_that_the_node_is_inactive(desk: Desk) -> None:
    loaded = threading.Event()
    desk.worker.run(lambda: loaded.wait(30))
    desk.tick()
    desk.is_active = False
    loaded.set()
    desk.settle()
    assert desk.perceiver.steps == 0
    assert desk.published == []


def test_off_and_inactive_mean_that_nothing_is_followed(desk: Desk) -> None:
    for parameters, is_active in ((PerceptionParameters(), True), (desk.parameters, False)):
        desk.parameters, desk.is_active, desk.perceiver.is_following = parameters, is_active, True
        desk.tick()
        desk.settle()
        assert not desk.perceiver.is_following
        desk.tick()
        desk.settle()
    assert desk.perceiver.steps == 0


def test_the_rate_may_change(desk: Desk) -> None:
    assert desk.node.timer.timer_period_ns == 200_000_000
    desk.parameters = replace(desk.parameters, follow_rate_hz=10.0)
    desk.tick()
    assert desk.node.timer.timer_period_ns == 100_000_000


def test_the_service_sets_the_parameter(desk: Desk) -> None:
    for wanted in (True, False):
        response = desk.node.serve(SetBool.Request(data=wanted), SetBool.Response())
        assert response.success
        assert response.message
    assert desk.node.set == [("follow", True), ("follow", False)]


def test_a_failure_is_logged_and_the_next_step_comes(desk: Desk) -> None:
    desk.perceiver.fails = True
    desk.tick()
    desk.settle()
    desk.perceiver.fails = False
    desk.tick()
    desk.settle()
    assert "a library failed" in desk.node.errors[0]
    assert desk.published == [ANSWER]
