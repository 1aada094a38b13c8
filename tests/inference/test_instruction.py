"""What becomes of a sentence before the model sees it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_ros.errors import (
    EmptyInstructionError,
    InstructionEncodingError,
    InstructionError,
    InstructionTooLongError,
)
from lisa_ros.inference.instruction import check_length, clean_instruction, clean_turn
from lisa_ros.types import Turn


@pytest.mark.parametrize(
    ("given_text", "cleaned"),
    [
        ("  the red mug \n", "the red mug"),
        ("the\tred\nmug", "the red mug"),
        ("the\x00 red\x1b mug", "the red mug"),
        ("a  b", "a  b"),
        ("切り替えて 🥤", "切り替えて 🥤"),
        ("می‌خواهم", "می‌خواهم"),
        (b"caf\xc3\xa9", "café"),
    ],
)
def test_cleaning(given_text, cleaned):
    assert clean_instruction(given_text) == cleaned


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_text_without_control_characters_is_only_trimmed(text):
    if text.strip():
        assert clean_instruction(text) == text.strip()


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_cleaning_twice_changes_nothing(text):
    try:
        once = clean_instruction(text)
    except EmptyInstructionError:
        return
    assert clean_instruction(once) == once


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\x00\x01", b"", "\u3000"])
def test_nothing_to_look_for(text):
    with pytest.raises(EmptyInstructionError, match="say what is wanted"):
        clean_instruction(text)


def test_bytes_that_are_not_utf8_name_the_byte():
    with pytest.raises(InstructionEncodingError, match="byte 3 is 0xe9"):
        clean_instruction(b"caf\xe9")


def test_lone_surrogates_are_named():
    with pytest.raises(
        InstructionEncodingError, match=r"character 2 is the lone surrogate U\+D83D"
    ):
        clean_instruction("ab\ud83d")


def test_what_is_no_text_is_refused():
    with pytest.raises(InstructionError, match="Got a int"):
        clean_instruction(7)


def test_earlier_turns_are_cleaned_like_instructions():
    assert clean_turn(Turn(" the\x1b red\tmug ", " It is [SEG].\n")) == Turn(
        "the red mug", " It is [SEG].\n"
    )
    assert clean_turn(Turn("mug", "")) == Turn("mug", "")  # cut before its first letter
    with pytest.raises(InstructionEncodingError, match=r"earlier response .* lone surrogate"):
        clean_turn(Turn("mug", "\ud83d"))
    with pytest.raises(InstructionError, match="Got a NoneType as earlier response"):
        clean_turn(Turn("mug", None))


@pytest.mark.parametrize("text", ["mug " * 30_000, b"mug " * 30_000])
def test_what_no_model_has_room_for_is_refused_unread(text):
    with pytest.raises(InstructionTooLongError, match="120000 characters, at most 100000"):
        clean_instruction(text)
    with pytest.raises(InstructionTooLongError, match="earlier response has 120000"):
        clean_turn(Turn("mug", text))
    assert clean_instruction(text[:100_000])


def test_length_limits_are_inclusive_and_said():
    check_length(90, 10, 100)
    with pytest.raises(InstructionTooLongError, match=r"91 tokens.*90 are allowed: 100"):
        check_length(91, 10, 100)
