"""Which turns a conversation remembers: about this view, the last few, in the last few sessions."""

from __future__ import annotations

import itertools

import numpy as np

from lisa_ros.nodes.sessions import MAX_SESSIONS, MAX_TURNS, Sessions
from lisa_ros.nodes.view_sketch import ViewSketch
from lisa_ros.types import Turn


def view(direction: int) -> ViewSketch:
    """Views of different numbers have nothing in common."""
    return ViewSketch(("camera", 60, 80), np.eye(4, dtype=np.float32)[direction])


def turn(name: str) -> Turn:
    return Turn(f"where is {name}?", "[SEG].")


class Robot:
    """Says one thing after the other, each under an id of its own."""

    def __init__(self) -> None:
        self.sessions = Sessions()
        self.ids = itertools.count(1)

    def remember(self, session: str, turn: Turn, view: ViewSketch) -> int:
        instruction_id = next(self.ids)
        self.sessions.remember(session, turn, view, instruction_id)
        return instruction_id

    def recall(self, session: str, view: ViewSketch) -> tuple[list[Turn], int]:
        return self.sessions.recall(session, view, next(self.ids))


def test_turns_about_the_view_are_remembered_in_order() -> None:
    robot = Robot()
    assert robot.recall("table", view(0)) == ([], 0)
    for name in ("cup", "jug"):
        robot.remember("table", turn(name), view(0))
    assert robot.recall("table", view(0)) == ([turn("cup"), turn("jug")], 0)
    assert robot.recall("shelf", view(0)) == ([], 0)


def test_another_view_forgets_for_good() -> None:
    robot = Robot()
    robot.remember("table", turn("cup"), view(0))
    assert robot.recall("table", view(1)) == ([], 1)
    assert robot.recall("table", view(0)) == ([], 0)


def test_turns_from_before_a_change_stay_forgotten_when_the_view_comes_back() -> None:
    robot = Robot()
    for name, direction in (("cup", 0), ("jug", 1), ("mug", 0)):
        robot.remember("table", turn(name), view(direction))
    assert robot.recall("table", view(0)) == ([turn("mug")], 2)


def test_turns_and_sessions_are_bounded_and_the_newest_stay() -> None:
    robot = Robot()
    for number in range(3 * MAX_TURNS):
        robot.remember("table", turn(str(number)), view(0))
    kept = [turn(str(number)) for number in range(2 * MAX_TURNS, 3 * MAX_TURNS)]
    assert robot.recall("table", view(0)) == (kept, 0)
    for number in range(MAX_SESSIONS):
        robot.remember(f"session {number}", turn("cup"), view(0))
    assert robot.recall("table", view(0)) == ([], 0)
    assert robot.recall("session 0", view(0)) == ([turn("cup")], 0)


def test_forget() -> None:
    robot = Robot()
    robot.remember("table", turn("cup"), view(0))
    robot.sessions.forget()
    assert robot.recall("table", view(0)) == ([], 0)


def test_an_instruction_that_is_put_again_is_not_its_own_follow_up() -> None:
    robot = Robot()
    robot.remember("table", turn("cup"), view(0))
    again = robot.remember("table", turn("the other one"), view(0))
    for _ in range(2 * MAX_TURNS):
        assert robot.sessions.recall("table", view(0), again) == ([turn("cup")], 0)
        robot.sessions.remember("table", turn("the other one"), view(0), again)
    assert robot.recall("table", view(0)) == ([turn("cup"), turn("the other one")], 0)
    assert robot.sessions.recall("table", view(1), again) == ([], 1)
