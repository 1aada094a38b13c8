"""Which turns a conversation remembers: about this view, the last few, in the last few sessions."""

from __future__ import annotations

import numpy as np

from lisa_ros.nodes.sessions import MAX_SESSIONS, MAX_TURNS, Sessions
from lisa_ros.nodes.view_sketch import ViewSketch
from lisa_ros.types import Turn


def view(direction: int) -> ViewSketch:
    """Views of different numbers have nothing in common."""
    return ViewSketch(("camera", 60, 80), np.eye(4, dtype=np.float32)[direction])


def turn(name: str) -> Turn:
    return Turn(f"where is {name}?", "[SEG].")


def test_turns_about_the_view_are_remembered_in_order() -> None:
    sessions = Sessions()
    assert sessions.recall("table", view(0)) == ([], 0)
    for name in ("cup", "jug"):
        sessions.remember("table", turn(name), view(0))
    assert sessions.recall("table", view(0)) == ([turn("cup"), turn("jug")], 0)
    assert sessions.recall("shelf", view(0)) == ([], 0)


def test_another_view_forgets_for_good() -> None:
    sessions = Sessions()
    sessions.remember("table", turn("cup"), view(0))
    assert sessions.recall("table", view(1)) == ([], 1)
    assert sessions.recall("table", view(0)) == ([], 0)


def test_turns_from_before_a_change_stay_forgotten_when_the_view_comes_back() -> None:
    sessions = Sessions()
    for name, direction in (("cup", 0), ("jug", 1), ("mug", 0)):
        sessions.remember("table", turn(name), view(direction))
    assert sessions.recall("table", view(0)) == ([turn("mug")], 2)


def test_turns_and_sessions_are_bounded_and_the_newest_stay() -> None:
    sessions = Sessions()
    for number in range(3 * MAX_TURNS):
        sessions.remember("table", turn(str(number)), view(0))
    kept = [turn(str(number)) for number in range(2 * MAX_TURNS, 3 * MAX_TURNS)]
    assert sessions.recall("table", view(0)) == (kept, 0)
    for number in range(MAX_SESSIONS):
        sessions.remember(f"session {number}", turn("cup"), view(0))
    assert sessions.recall("table", view(0)) == ([], 0)
    assert sessions.recall("session 0", view(0)) == ([turn("cup")], 0)


def test_forget() -> None:
    sessions = Sessions()
    sessions.remember("table", turn("cup"), view(0))
    sessions.forget()
    assert sessions.recall("table", view(0)) == ([], 0)
