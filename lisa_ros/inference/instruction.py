"""From what a user sent to a sentence for the model, or a typed error that says why not."""

from __future__ import annotations

import unicodedata

from lisa_ros.errors import (
    EmptyInstructionError,
    InstructionEncodingError,
    InstructionError,
    InstructionTooLongError,
)
from lisa_ros.types import Turn

# A Llama's longest token has 16 characters, and 4096 of them are the longest context of a released
# LISA. More is refused before time and memory are spent on it.
MAX_LENGTH = 100_000


def clean_instruction(instruction: str | bytes) -> str:
    """Return the sentence, free of control characters and of white space around it.

    Tabs, line ends and other control characters that are white space become spaces; every other
    control character is dropped, as nobody speaks them and the model never saw one. All scripts and
    any amount of ordinary space inside the sentence stay as they are.

    Raises InstructionEncodingError for what is not valid UTF-8 (bytes, or text with lone
    surrogates), EmptyInstructionError when nothing is left, InstructionTooLongError for what no
    model has room for, InstructionError for what is not text at all.
    """
    text = _decoded(instruction)
    spaced = "".join(" " if c.isspace() and _is_control(c) else c for c in text)
    cleaned = "".join(c for c in spaced if not _is_control(c)).strip()
    if not cleaned:
        raise EmptyInstructionError(
            f"The instruction {_short(text)} holds nothing to look for; say what is wanted, for "
            'example "the red mug".'
        )
    return cleaned


def clean_turn(turn: Turn) -> Turn:
    """Return an earlier exchange with its instruction cleaned; its response only has to be text.

    Raises as `clean_instruction` does, for both of them, but for an empty response.
    """
    return Turn(clean_instruction(turn.instruction), _decoded(turn.response, "earlier response"))


def check_length(n_prompt: int, n_new: int, context: int) -> None:
    """Raise InstructionTooLongError unless a prompt and its answer fit the model's context.

    n_prompt: positions of the prompt, those of the image included. n_new: positions kept for the
    answer. context: positions that the model was made for. Upstream has no limit at inference, it
    then computes with positions that were never trained.
    """
    allowed = context - n_new
    if n_prompt > allowed:
        raise InstructionTooLongError(
            f"The prompt has {n_prompt} tokens (image, template, earlier turns and instruction); "
            f"{allowed} are allowed: {context} of the model's context less {n_new} for the answer. "
            "Shorten the instruction, forget earlier turns, or ask for fewer new tokens."
        )


def _decoded(said: str | bytes, what: str = "instruction") -> str:
    if isinstance(said, str | bytes) and len(said) > MAX_LENGTH:
        raise InstructionTooLongError(
            f"The {what} has {len(said)} characters, at most {MAX_LENGTH} are read. Shorten it."
        )
    if isinstance(said, bytes):
        try:
            return said.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InstructionEncodingError(
                f"The {what} is not valid UTF-8: byte {error.start} is "
                f"0x{said[error.start]:02x}. Send it as UTF-8."
            ) from error
    if not isinstance(said, str):
        raise InstructionError(f"Got a {type(said).__name__} as {what}, expected text.")
    lone = [i for i, c in enumerate(said) if unicodedata.category(c) == "Cs"]
    if lone:
        raise InstructionEncodingError(
            f"The {what} is not valid Unicode: character {lone[0]} is the lone surrogate "
            f"U+{ord(said[lone[0]]):04X}. It was decoded from something that is not UTF-8."
        )
    return said


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc"


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
