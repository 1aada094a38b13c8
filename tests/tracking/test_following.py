"""When to look and when to ask, with a clock that the test turns."""

import pytest

from lisa_ros.tracking.following import Following, Phase, Step, why_lost
from lisa_ros.tracking.tracker import Lost

ASK_AGAIN_S = 2.0


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def following(clock):
    return Following(clock)


def test_nothing_is_due_before_an_answer_and_after_the_end(following):
    assert following.due(ASK_AGAIN_S) is None
    assert not following.looked(True)
    following.began()
    assert following.due(ASK_AGAIN_S) is Step.LOOK
    following.ended()
    assert following.due(ASK_AGAIN_S) is None
    assert following.phase is Phase.IDLE


def test_a_loss_is_told_once_and_so_is_the_end_of_it(following):
    following.began()
    assert not following.looked(True)
    assert following.looked(False)
    assert following.phase is Phase.LOST
    assert not following.looked(False)
    assert following.looked(True)
    assert following.phase is Phase.IN_SIGHT


def test_questions_are_limited_and_looks_go_on_between_them(following, clock):
    following.began()
    following.looked(False)
    steps = []
    for _ in range(80):  # 10 s
        step = following.due(ASK_AGAIN_S)
        if step is Step.ASK:
            following.asked()
        elif step is Step.LOOK:
            following.looked(False)
        steps.append(step)
        clock.now_s += 0.125
    assert [i for i, step in enumerate(steps) if step is Step.ASK] == [16, 32, 48, 64]
    assert steps.count(Step.LOOK) == 76


def test_a_target_that_comes_back_by_itself_is_not_asked_for(following, clock):
    following.began()
    following.looked(False)
    clock.now_s += 1.9
    following.looked(True)
    clock.now_s += 5
    assert following.due(ASK_AGAIN_S) is Step.LOOK
    following.looked(False)
    assert following.due(ASK_AGAIN_S) is not Step.ASK


def test_an_answer_ends_the_questions(following, clock):
    following.began()
    following.looked(False)
    clock.now_s += 2
    assert following.due(ASK_AGAIN_S) is Step.ASK
    following.began()
    assert following.phase is Phase.IN_SIGHT
    assert following.due(ASK_AGAIN_S) is Step.LOOK


def test_sentences(following, clock):
    following.began()
    following.looked(False)
    clock.now_s += 1.5
    assert following.lost_for() == "Lost 1.5 s ago"
    following.asked()
    assert following.lost_for() == "Lost 1.5 s ago and asked for again once"
    following.asked()
    assert following.lost_for().endswith("2 times")
    assert why_lost({1: Lost("gone")}) == "target 1 (gone)"
    assert why_lost({}) == ""
