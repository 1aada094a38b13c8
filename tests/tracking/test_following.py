"""When to look and when to ask, with a clock that the test turns."""

import pytest

from lisa_ros.tracking.following import Following, Pace, Phase, Step, why_lost
from lisa_ros.tracking.tracker import Lost

PACE = Pace(rate_hz=4.0, ask_again_s=2.0)


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


def look(following, in_sight):
    following.will_look(PACE)
    return following.looked(in_sight)


def test_nothing_is_due_before_an_answer_and_after_the_end(following):
    assert following.due(PACE) is None
    assert not following.looked(True)
    following.began()
    assert following.due(PACE) is Step.LOOK
    following.ended()
    assert following.due(PACE) is None
    assert following.phase is Phase.IDLE


def test_looks_come_at_the_rate(following, clock):
    following.began()
    looks = 0
    for _ in range(80):  # 10 s
        if following.due(PACE) is Step.LOOK:
            looks += 1
            look(following, True)
        clock.now_s += 0.125
    assert looks == 40


def test_missed_looks_are_not_made_up_for(following, clock):
    following.began()
    look(following, True)
    clock.now_s += 60
    looks = 0
    while following.due(PACE):
        looks += 1
        look(following, True)
    assert looks <= 2


def test_a_loss_is_told_once_and_so_is_the_end_of_it(following):
    following.began()
    assert not look(following, True)
    assert look(following, False)
    assert following.phase is Phase.LOST
    assert not look(following, False)
    assert look(following, True)
    assert following.phase is Phase.IN_SIGHT


def test_questions_are_limited_and_looks_go_on_between_them(following, clock):
    following.began()
    look(following, False)
    steps = []
    for _ in range(80):  # 10 s
        step = following.due(PACE)
        if step is Step.ASK:
            following.asked()
        elif step is Step.LOOK:
            look(following, False)
        steps.append(step)
        clock.now_s += 0.125
    assert [i for i, step in enumerate(steps) if step is Step.ASK] == [16, 32, 48, 64]
    assert steps.count(Step.LOOK) >= 36


def test_a_target_that_comes_back_by_itself_is_not_asked_for(following, clock):
    following.began()
    look(following, False)
    clock.now_s += 1.9
    look(following, True)
    clock.now_s += 5
    assert following.due(PACE) is Step.LOOK
    look(following, False)
    assert following.due(PACE) is not Step.ASK


def test_an_answer_ends_the_questions(following, clock):
    following.began()
    look(following, False)
    clock.now_s += 2
    assert following.due(PACE) is Step.ASK
    following.began()
    assert following.phase is Phase.IN_SIGHT
    assert following.due(PACE) is Step.LOOK


def test_sentences(following, clock):
    following.began()
    look(following, False)
    clock.now_s += 1.5
    assert following.lost_for() == "Lost 1.5 s ago"
    following.asked()
    assert following.lost_for() == "Lost 1.5 s ago and asked for again once"
    following.asked()
    assert following.lost_for().endswith("2 times")
    assert why_lost({1: Lost("gone")}) == "target 1 (gone)"
    assert why_lost({}) == ""
