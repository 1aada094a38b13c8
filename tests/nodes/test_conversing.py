"""Conversations through the answerer: what the model is told of earlier turns."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from answering_parts import SETTINGS, Frames, make_frame
from fakes import FakeSegmenter

from lisa_ros.errors import InstructionTooLongError
from lisa_ros.nodes.answering import Answerer
from lisa_ros.nodes.answers import Answer, Request, StopSignal
from lisa_ros.types import Segmentation, Status, Turn


class Listening(FakeSegmenter):
    """Keeps the history of each question; `room`: how many earlier turns its context holds.

    "the other one" is the box that was not asked for before, as a model that reads would know.
    """

    def __init__(self, room: int = 99) -> None:
        super().__init__()
        self.room = room
        self.histories: list[list[Turn]] = []

    def segment(
        self, image: Any, instruction: str, *, history: Any, **options: Any
    ) -> Segmentation:
        if len(history) > self.room:
            raise InstructionTooLongError("the prompt has 600 tokens; 512 are allowed")
        self.histories.append(list(history))
        said = " ".join(turn.instruction for turn in history)
        if "other" in instruction:
            instruction = "the blue box" if "red" in said else "the red box"
        return super().segment(image, instruction, history=history, **options)


class Conversation:
    def __init__(self, segmenter: FakeSegmenter) -> None:
        self.frames = Frames(make_frame())
        self.ids = itertools.count(1)
        self.answerer = Answerer(segmenter, self.frames)

    def ask(
        self, instruction: str, session: str = "table", stop: StopSignal | None = None
    ) -> Answer:
        request = Request(
            next(self.ids),
            instruction,
            stop or StopSignal(),
            lambda stage, text: None,
            lambda answer: None,
            session,
        )
        return self.answerer.answer(request, SETTINGS)

    def look_elsewhere(self) -> None:
        frame = make_frame()
        image = np.ascontiguousarray(frame.image[::-1, ::-1])
        self.frames.frame = dataclasses.replace(frame, image=image)


@pytest.fixture
def model() -> Listening:
    return Listening()


@pytest.fixture
def conversation(model: Listening) -> Conversation:
    return Conversation(model)


def test_a_follow_up_is_asked_with_the_turn_before(
    conversation: Conversation, model: Listening
) -> None:
    first = conversation.ask("the red box")
    second = conversation.ask("and the other one?")
    turn = Turn(first.segmentation.prompt_text, first.segmentation.text)
    assert model.histories == [[], [turn]]
    assert second.segmentation.masks.sum() == 400  # the blue box
    assert (first.session, second.session) == ("table", "table")


def test_it_is_about_the_newest_frame(conversation: Conversation) -> None:
    conversation.ask("the red box")
    conversation.frames.frame = dataclasses.replace(make_frame(), stamp_ns=43)
    assert conversation.ask("and the other one?").frame.stamp_ns == 43


def test_without_a_session_nothing_is_remembered(
    conversation: Conversation, model: Listening
) -> None:
    conversation.ask("the red box", session="")
    conversation.ask("the blue box", session="")
    conversation.ask("the red box")
    assert model.histories == [[], [], []]


def test_another_view_ends_the_conversation_and_the_answer_says_so(
    conversation: Conversation, model: Listening
) -> None:
    conversation.ask("the red box")
    conversation.look_elsewhere()
    answer = conversation.ask("the blue box")
    assert model.histories[-1] == []
    assert "The view has changed" in answer.reason
    assert "The view has changed" not in conversation.ask("the blue box").reason
    assert len(model.histories[-1]) == 1


def test_turns_that_do_not_fit_are_left_out_oldest_first_and_the_answer_says_so() -> None:
    model = Listening(room=1)
    conversation = Conversation(model)
    for colour in ("red", "blue"):
        conversation.ask(f"the {colour} box")
    answer = conversation.ask("the red box")
    assert [turn.instruction for turn in model.histories[-1]] == [
        conversation.ask("the blue box", session="").segmentation.prompt_text
    ]
    assert "no room for 1 of 2 earlier turns" in answer.reason


def test_an_instruction_that_does_not_fit_alone_is_rejected() -> None:
    class Full(Listening):
        def segment(self, image: Any, instruction: str, **options: Any) -> Segmentation:
            raise InstructionTooLongError("the prompt has 600 tokens; 512 are allowed")

    assert Conversation(Full()).ask("the red box").status == Status.REJECTED


def test_refusals_are_turns_and_what_was_stopped_is_none(
    conversation: Conversation, model: Listening
) -> None:
    stop = StopSignal()
    stop.stop(Status.CANCELED, "replaced")
    assert conversation.ask("the red box", stop=stop).status == Status.CANCELED
    assert conversation.ask("the green box").status == Status.NOT_FOUND
    conversation.ask("the red box")
    assert [len(history) for history in model.histories] == [0, 1]


def test_an_answer_with_earlier_turns_says_that_it_is_uncalibrated(
    conversation: Conversation,
) -> None:
    assert "Uncalibrated" not in conversation.ask("the red box").reason
    assert "without earlier turns" in conversation.ask("the blue box").reason


def test_forgetting(conversation: Conversation, model: Listening) -> None:
    conversation.ask("the red box")
    conversation.answerer.forget_sessions()
    conversation.ask("the red box")
    assert model.histories == [[], []]
