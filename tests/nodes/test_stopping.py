"""A stop takes effect within one token and between stages: counted in tokens and stages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from answering_parts import SETTINGS, STAGES, Frames, make_frame
from fakes import FakeSegmenter

from lisa_ros.errors import GenerationCanceledError
from lisa_ros.nodes import answers
from lisa_ros.nodes.answering import Answerer
from lisa_ros.nodes.answers import Answer, Policy, Request, Stage, StopSignal, unanswered
from lisa_ros.nodes.worker import ModelWorker
from lisa_ros.types import Segmentation, Status

WAIT_S = 30.0
N_TOKENS = 20


class Talkative(FakeSegmenter):
    """Says one token after the other, as an engine does, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.n_said = 0

    def segment(self, image: Any, instruction: str, **options: Any) -> Segmentation:
        if options["should_stop"]():
            raise GenerationCanceledError("stopped")
        for _ in range(N_TOKENS):
            self.n_said += 1
            options["on_text"]("word " * self.n_said)
            if options["should_stop"]():
                raise GenerationCanceledError("stopped", "word " * self.n_said)
        return super().segment(image, "red", **options)


class Clock:
    """Monotonic seconds that go on when told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


class Canceling:
    """A client that cancels when `at` is true of the progress."""

    def __init__(self, at: Callable[[Stage, str], bool]) -> None:
        self._at = at
        self.canceled = False

    def on_progress(self, stage: Stage, text: str) -> None:
        self.canceled = self.canceled or self._at(stage, text)


def answer(model: Talkative, client: Any, stop: StopSignal) -> Answer:
    request = Request(1, "red", stop, client.on_progress, lambda answer: None)
    return Answerer(model, Frames(make_frame())).answer(request, SETTINGS)


@pytest.mark.parametrize("n_tokens", [1, 7])
def test_cancel_takes_effect_within_one_token(n_tokens: int) -> None:
    model, client = Talkative(), Canceling(lambda stage, text: text.count("word") == n_tokens)
    ended = answer(model, client, StopSignal(canceled=lambda: client.canceled))
    assert (ended.status, ended.reason) == (Status.CANCELED, "The client canceled the goal.")
    assert model.n_said == n_tokens


@pytest.mark.parametrize("n_tokens", [1, 7])
def test_timeout_takes_effect_within_one_token(
    n_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(answers, "time", clock)

    class Slow:
        def on_progress(self, stage: Stage, text: str) -> None:
            clock.now_s += 1.0 if text else 0.0

    model = Talkative()
    ended = answer(model, Slow(), StopSignal(timeout_s=n_tokens - 0.5))
    assert (ended.status, ended.reason) == (
        Status.TIMEOUT,
        f"No answer within {n_tokens - 0.5} s.",
    )
    assert model.n_said == n_tokens


def test_replacement_takes_effect_within_one_token() -> None:
    model = Talkative()
    answerer = Answerer(model, Frames(make_frame()))
    worker = ModelWorker(lambda request: answerer.answer(request, SETTINGS))
    ended: list[Answer] = []
    answered = threading.Semaphore(0)

    def on_answer(answer: Answer) -> None:
        ended.append(answer)
        answered.release()

    def replace(stage: Stage, text: str) -> None:
        if text.count("word") == 3:
            worker.submit(newer, Policy.REPLACE, queue_size=1)

    newer = Request(2, "red", StopSignal(), lambda stage, text: None, on_answer)
    worker.submit(Request(1, "red", StopSignal(), replace, on_answer), Policy.REPLACE, queue_size=1)
    assert all(answered.acquire(timeout=WAIT_S) for _ in range(2))
    assert worker.close(WAIT_S)
    assert [one.status for one in ended] == [Status.CANCELED, Status.FOUND]
    assert model.n_said == 3 + N_TOKENS


@pytest.mark.parametrize("last", STAGES)
def test_no_stage_begins_after_a_stop(last: Stage) -> None:
    """A stop during a stage is seen before the next one."""
    stages: list[Stage] = []
    client = Canceling(lambda stage, text: stage is last)

    class Noting:
        def on_progress(self, stage: Stage, text: str) -> None:
            client.on_progress(stage, text)
            stages.append(stage)

    stop = StopSignal(canceled=lambda: client.canceled)
    ended = answer(Talkative(), Noting(), stop)
    assert ended.status == Status.CANCELED
    assert stages[-1] is last
    assert ended.targets == ()


def test_a_stop_before_the_start_begins_no_stage() -> None:
    client = Canceling(lambda stage, text: True)
    stop = StopSignal()
    stop.stop(Status.CANCELED, "replaced")
    ended = answer(Talkative(), client, stop)
    assert not client.canceled
    assert ended == unanswered(Request(1, "red", stop, print, print), Status.CANCELED, "replaced")
