"""Judgement on rooms with known contents: no picture is needed."""

import pytest
from known_rooms import make_object as thing
from known_rooms import make_room

from lisa_ros.simulation.language import judge, parse
from lisa_ros.types import Status

FOUND, ABSENT, UNCLEAR = Status.FOUND, Status.NOT_FOUND, None


def expect(room, text, expected, *ids):
    verdict = judge(room, text)
    assert verdict.expected is expected, text
    assert verdict.target_ids == ids, text


DESK = make_room(
    thing(1, "remote", "black", at_px=(20, 60), at_m=(-0.3, 0.1, 0.9)),
    thing(2, "mug", "red", at_px=(50, 60), at_m=(0.0, 0.1, 0.9), accents=()),
    thing(3, "mug", "blue", at_px=(80, 60), at_m=(0.3, 0.1, 0.9)),
    thing(4, "orange", "orange", at_px=(22, 30), at_m=(-0.3, 0.0, 1.3)),
    thing(5, "clock", "green", at_px=(90, 30), at_m=(0.4, 0.0, 1.3), accents=("white",)),
)


@pytest.mark.parametrize(
    ("text", "expected", "ids"),
    [
        ("the remote control", FOUND, (1,)),
        ("change the TV channel", FOUND, (1,)),
        ("the food with much vitamin C", FOUND, (4,)),
        ("What time is it?", FOUND, (5,)),
        ("I am thirsty.", UNCLEAR, ()),  # two mugs
        ("the mug", UNCLEAR, ()),
        ("the red mug", FOUND, (2,)),
        ("Give me the blue cup.", FOUND, (3,)),
        ("the green mug", ABSENT, ()),
        ("the orange", FOUND, (4,)),
        ("the orange thing", FOUND, (4,)),
        ("the white thing", UNCLEAR, ()),  # the clock's dial is white
        ("the purple object", ABSENT, ()),
        ("the laptop", ABSENT, ()),
        ("I want to cut this paper", ABSENT, ()),
        ("I need to write an email for work.", ABSENT, ()),
        ("the fruit", FOUND, (4,)),
        ("the thing with buttons to control the TV", FOUND, (1,)),
        ("the mug left of the clock", UNCLEAR, ()),  # both are
        ("the orange behind the remote", FOUND, (4,)),
        ("the remote in front of the orange", FOUND, (1,)),
        ("the remote behind the orange", ABSENT, ()),
        ("the remote left of the clock", FOUND, (1,)),
        ("the remote right of the clock", ABSENT, ()),
        ("the mug nearest to the clock", FOUND, (3,)),
        ("the mug nearest to the remote", FOUND, (2,)),
        ("the mug left of the lamp", ABSENT, ()),
        ("the lamp left of the remote", ABSENT, ()),
        ("the remote left of the mug", UNCLEAR, ()),  # which mug?
        ("the weather in Paris", UNCLEAR, ()),
        ("", UNCLEAR, ()),
    ],
)
def test_known_answers(text, expected, ids):
    expect(DESK, text, expected, *ids)


@pytest.mark.parametrize(
    "text",
    [
        "  The Red Mug ",
        "the red mug.",
        "RED MUG?",
        "a red mug",
        "give me the red mug",
        "Where is  the red\tmug?",
        "Can you find the red mug in this image",
        "the red coffee cup",
        "Please hand me the red coffee cup!",
    ],
)
def test_case_space_article_punctuation_and_wrappers_do_not_matter(text):
    expect(DESK, text, FOUND, 2)


def test_either_kind_meets_a_need_but_not_both_at_once():
    mug, bottle = thing(1, "mug", "red"), thing(2, "bottle", "green")
    expect(make_room(mug), "I am thirsty", FOUND, 1)
    expect(make_room(bottle), "I am thirsty", FOUND, 2)
    expect(make_room(mug, bottle), "I am thirsty", UNCLEAR)
    expect(make_room(thing(3, "book", "red")), "I am thirsty", ABSENT)


def test_a_substitute_only_forbids_to_call_the_need_unmet():
    clock, phone = thing(1, "clock", "red"), thing(2, "phone")
    expect(make_room(clock, phone), "what time is it", FOUND, 1)
    expect(make_room(phone), "what time is it", UNCLEAR)
    expect(make_room(thing(3, "book", "red")), "what time is it", ABSENT)


def test_a_barely_visible_object_is_neither_a_target_nor_absent():
    speck = thing(1, "mug", "red", visible_px=39)
    hidden = thing(2, "mug", "blue", occluded=0.75)
    gone = thing(3, "mug", "green", visible_px=0)
    clear = thing(4, "mug", "white")
    for blurred in (speck, hidden):
        expect(make_room(blurred), "the mug", UNCLEAR)
        expect(make_room(blurred, clear), "the mug", UNCLEAR)
    expect(make_room(gone), "the mug", ABSENT)
    expect(make_room(gone, clear), "the mug", FOUND, 4)
    expect(make_room(speck, clear), "the white mug", FOUND, 4)


def test_relations_have_margins():
    clock = thing(1, "clock", "red", at_px=(50, 50))
    for column, expected in ((40, FOUND), (46, UNCLEAR), (60, ABSENT)):
        room = make_room(clock, thing(2, "book", "blue", at_px=(column, 50)))
        expect(room, "the book left of the clock", expected, *([2] if expected is FOUND else []))
    for depth, expected in ((1.2, FOUND), (1.05, UNCLEAR), (0.9, ABSENT)):
        room = make_room(clock, thing(2, "book", "blue", at_m=(0, 0, depth)))
        expect(room, "the book behind the clock", expected, *([2] if expected is FOUND else []))


def test_in_front_and_behind_need_roughly_one_column():
    clock = thing(1, "clock", "red", at_px=(10, 50))
    room = make_room(clock, thing(2, "book", "blue", at_px=(90, 50), at_m=(0.5, 0, 1.5)))
    expect(room, "the book behind the clock", UNCLEAR)


def test_nearest_needs_a_clear_winner():
    clock = thing(1, "clock", "red", at_m=(0, 0, 1))
    near, far = (
        thing(2, "mug", "red", at_m=(0.2, 0, 1)),
        thing(3, "mug", "blue", at_m=(0.5, 0, 1)),
    )
    tie = thing(3, "mug", "blue", at_m=(-0.21, 0, 1))
    expect(make_room(clock, near, far), "the mug nearest to the clock", FOUND, 2)
    expect(make_room(clock, near, tie), "the mug closest to the clock", UNCLEAR)


def test_the_meaning_of_a_phrase_does_not_depend_on_its_wrapper():
    assert parse("the book left of the laptop") == parse("Where is the book left of the laptop?")
    assert parse("Are there any dragons?") is None
