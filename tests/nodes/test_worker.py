"""The worker with a stand-in for the model: who is answered, how, and on which thread."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from lisa_ros.errors import LisaError
from lisa_ros.nodes.answers import Answer, Policy, Request, StopSignal, unanswered
from lisa_ros.nodes.worker import ModelWorker
from lisa_ros.types import Status

WAIT_S = 30.0


class Model:
    """Answers FOUND; with an instruction that starts with "hold" only after `release` or a stop."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.release = threading.Event()
        self.threads: set[str] = set()

    def answer(self, request: Request) -> Answer:
        self.threads.add(threading.current_thread().name)
        self.started.release()
        if request.instruction.startswith("hold"):
            while not self.release.wait(0.005):
                if request.stop_signal.should_stop():
                    return unanswered(request, *request.stop_signal.cause())
        return unanswered(request, Status.FOUND, "there")


class Answers:
    """Collects answers and waits for them."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self.all: list[Answer] = []

    def request(self, instruction: str, **limits: Any) -> Request:
        return Request(0, instruction, StopSignal(**limits), lambda stage, text: None, self.add)

    def add(self, answer: Answer) -> None:
        with self._arrived:
            self.all.append(answer)
            self._arrived.notify_all()

    def wait(self, count: int) -> list[tuple[str, Status]]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.all) >= count, WAIT_S), self.all
            return [(answer.instruction, answer.status) for answer in self.all]


def submit(worker: ModelWorker, *requests: Request, policy: Policy = Policy.REPLACE) -> None:
    for request in requests:
        worker.submit(request, policy, queue_size=2)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def worker(model: Model) -> Iterator[ModelWorker]:
    worker = ModelWorker(model.answer)
    yield worker
    assert worker.close(WAIT_S)


def test_answers_on_its_own_thread(worker: ModelWorker, model: Model, answers: Answers) -> None:
    submit(worker, answers.request("cup"))
    assert answers.wait(1) == [("cup", Status.FOUND)]
    assert worker.run(lambda: threading.current_thread().name).result(WAIT_S) in model.threads
    assert threading.current_thread().name not in model.threads


def test_newer_request_replaces_the_running_one(
    worker: ModelWorker, model: Model, answers: Answers
) -> None:
    submit(worker, answers.request("hold"))
    model.started.acquire()
    assert worker.busy
    submit(worker, answers.request("cup"))
    assert answers.wait(2) == [("hold", Status.CANCELED), ("cup", Status.FOUND)]
    assert answers.all[0].reason == "Replaced by a newer instruction: 'cup'."


def test_waiting_requests_are_replaced_and_each_is_answered_once(
    worker: ModelWorker, answers: Answers
) -> None:
    block = threading.Event()
    worker.run(lambda: block.wait(WAIT_S))
    for number in range(1000):
        submit(worker, answers.request(f"cup {number}"))
    block.set()
    expected = [(f"cup {number}", Status.CANCELED) for number in range(999)]
    assert answers.wait(1000) == [*expected, ("cup 999", Status.FOUND)]


def test_queued_requests_take_their_turn_and_too_many_are_refused(
    worker: ModelWorker, model: Model, answers: Answers
) -> None:
    submit(worker, answers.request("hold"))
    model.started.acquire()
    submit(worker, *map(answers.request, ("cup 1", "cup 2", "cup 3")), policy=Policy.QUEUE)
    assert answers.wait(1) == [("cup 3", Status.REJECTED)]
    assert answers.all[0].reason == "2 instructions wait already; queue_size allows 2."
    assert (worker.busy, worker.waiting_count) == (True, 2)
    model.release.set()
    found = [(instruction, Status.FOUND) for instruction in ("hold", "cup 1", "cup 2")]
    assert answers.wait(4)[1:] == found


def test_the_first_of_a_queue_does_not_count_as_waiting_before_it_has_started(
    worker: ModelWorker, answers: Answers
) -> None:
    block = threading.Event()
    worker.run(lambda: block.wait(WAIT_S))  # as a look at followed targets does
    cups = [f"cup {number}" for number in range(1, 5)]
    submit(worker, *map(answers.request, cups), policy=Policy.QUEUE)
    assert answers.wait(1) == [("cup 4", Status.REJECTED)]
    block.set()
    assert answers.wait(4)[1:] == [(cup, Status.FOUND) for cup in cups[:3]]


def test_what_waited_is_answered_before_what_replaces_it_can_start(
    worker: ModelWorker, model: Model, answers: Answers
) -> None:
    """Else its CANCELED would come last, and take away what was found."""
    block = threading.Event()
    worker.run(lambda: block.wait(WAIT_S))

    def dawdle(answer: Answer) -> None:
        block.set()
        assert not model.started.acquire(timeout=0.2)
        answers.add(answer)

    submit(worker, Request(0, "cup 1", StopSignal(), lambda stage, text: None, dawdle))
    submit(worker, answers.request("cup 2"))
    assert answers.wait(2) == [("cup 1", Status.CANCELED), ("cup 2", Status.FOUND)]


def test_replacing_empties_the_queue_too(
    worker: ModelWorker, model: Model, answers: Answers
) -> None:
    submit(worker, answers.request("hold"))
    model.started.acquire()
    submit(worker, answers.request("cup 1"), answers.request("cup 2"), policy=Policy.QUEUE)
    submit(worker, answers.request("cup 3"))
    ended = answers.wait(4)
    assert set(ended[:-1]) == {(name, Status.CANCELED) for name in ("hold", "cup 1", "cup 2")}
    assert ended[-1] == ("cup 3", Status.FOUND)


def test_rejecting_refuses_what_cannot_start_at_once(
    worker: ModelWorker, model: Model, answers: Answers
) -> None:
    submit(worker, answers.request("hold"), policy=Policy.REJECT)
    model.started.acquire()
    submit(worker, answers.request("cup"), policy=Policy.REJECT)
    assert answers.wait(1) == [("cup", Status.REJECTED)]
    assert answers.all[0].reason == "Busy with 'hold', and the policy is reject."
    model.release.set()
    assert answers.wait(2)[-1] == ("hold", Status.FOUND)


@pytest.mark.parametrize(
    ("limits", "status"),
    [({"timeout_s": 0.01}, Status.TIMEOUT), ({"canceled": lambda: True}, Status.CANCELED)],
)
def test_stop_reaches_a_request_that_waits_behind_another(
    worker: ModelWorker, model: Model, answers: Answers, limits: dict, status: Status
) -> None:
    submit(worker, answers.request("hold"))
    model.started.acquire()
    submit(worker, answers.request("cup", **limits), policy=Policy.QUEUE)
    assert answers.wait(1) == [("cup", status)]
    assert (worker.busy, worker.waiting_count) == (True, 0)
    model.release.set()
    assert answers.wait(2)[-1] == ("hold", Status.FOUND)


def test_stop_requests_ends_what_runs_and_what_waits(
    worker: ModelWorker, model: Model, answers: Answers
) -> None:
    submit(worker, answers.request("hold"))
    model.started.acquire()
    worker.stop_requests("enough")
    assert answers.wait(1) == [("hold", Status.CANCELED)]
    assert answers.all[0].reason == "enough"
    submit(worker, answers.request("cup"))
    assert answers.wait(2)[-1] == ("cup", Status.FOUND)


def test_timeout_reaches_the_model(worker: ModelWorker, answers: Answers) -> None:
    submit(worker, answers.request("hold", timeout_s=0.01))
    assert answers.wait(1) == [("hold", Status.TIMEOUT)]


def test_client_that_cannot_be_answered_does_not_end_the_worker(
    worker: ModelWorker, answers: Answers, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(answer: Answer) -> None:
        raise RuntimeError("nobody listens")

    submit(worker, Request(0, "lost", StopSignal(), lambda stage, text: None, fail))
    worker.run(lambda: None).result(WAIT_S)
    submit(worker, answers.request("cup"))
    assert answers.wait(1) == [("cup", Status.FOUND)]
    assert "'lost' could not be delivered" in caplog.text


def test_model_that_raises_is_answered_and_the_next_request_too(
    answers: Answers, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(request: Request) -> Answer:
        if request.instruction == "crash":
            raise RuntimeError("a bug of ours")
        return unanswered(request, Status.FOUND, "there")

    worker = ModelWorker(answer)
    submit(worker, answers.request("crash"))
    assert answers.wait(1) == [("crash", Status.ERROR)]
    assert answers.all[0].reason == "Unexpected RuntimeError: a bug of ours."
    assert answers.all[0].error_code == LisaError.code
    assert not worker.busy
    submit(worker, answers.request("cup"))
    assert answers.wait(2)[-1] == ("cup", Status.FOUND)
    assert worker.close(WAIT_S)
    assert "answering 'crash' failed" in caplog.text


def test_an_idle_worker_holds_on_to_no_answer(worker: ModelWorker) -> None:
    """It may hold images of the camera, and the node is told to give its memory back."""
    answered, seen = threading.Event(), []

    def keep(answer: Answer) -> None:
        seen.append(weakref.ref(answer))
        answered.set()

    submit(worker, Request(0, "cup", StopSignal(), lambda stage, text: None, keep))
    assert answered.wait(WAIT_S)
    worker.run(lambda: None).result(WAIT_S)
    assert [ref() for ref in seen] == [None]


def test_failing_task_is_its_callers_problem(worker: ModelWorker, answers: Answers) -> None:
    def load() -> None:
        raise ValueError("broken weights")

    with pytest.raises(ValueError, match="broken weights"):
        worker.run(load).result(WAIT_S)
    submit(worker, answers.request("cup"))
    assert answers.wait(1) == [("cup", Status.FOUND)]


def test_close_answers_everything(model: Model, answers: Answers) -> None:
    worker = ModelWorker(model.answer)
    submit(worker, answers.request("hold"))
    model.started.acquire()
    assert worker.close(WAIT_S)
    assert answers.wait(1) == [("hold", Status.CANCELED)]
    submit(worker, answers.request("late"))
    assert answers.wait(2)[-1] == ("late", Status.REJECTED)
    assert worker.run(lambda: None).cancelled()


def test_close_says_when_the_model_is_stuck(answers: Answers) -> None:
    started, block = threading.Event(), threading.Event()

    def load() -> bool:
        started.set()
        return block.wait(WAIT_S)

    worker = ModelWorker(lambda request: unanswered(request, Status.FOUND, ""))
    running = worker.run(load)
    assert started.wait(WAIT_S)
    assert not worker.close(timeout_s=0.05)
    block.set()
    assert running.result(WAIT_S)


def test_first_cause_of_a_stop_stays() -> None:
    canceled = False
    signal = StopSignal(canceled=lambda: canceled)
    assert not signal.should_stop()
    signal.stop(Status.CANCELED, "replaced")
    canceled = True
    assert signal.cause() == (Status.CANCELED, "replaced")
