"""How a mask is asked for and answered, in training and in validation: upstream's forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.model.prompts import (
    ANSWERS,
    EXPLANATORY_QUESTIONS,
    LONG_QUESTIONS,
    SHORT_QUESTIONS,
    SUPPLIED_ANSWER,
)
from lisa_ros.model.tokenizer import IMAGE_TOKEN, SEG_TOKEN
from training.data.sample import Turn

T = TypeVar("T")

QUESTIONS_PER_IMAGE = 3  # upstream's num_classes_per_sample


def pick(options: Sequence[T], rng: np.random.Generator) -> T:
    """One of the options, each as likely as the others."""
    return options[int(rng.integers(len(options)))]


def phrase_question(phrase: str, rng: np.random.Generator, *, upstream_compat: bool = False) -> str:
    """Ask for a class or a short phrase, in lower case as upstream does.

    upstream_compat: keep "the the", where a question with an article meets a phrase with one.
    """
    question, name = pick(SHORT_QUESTIONS, rng), phrase.lower()
    if "the {class_name}" in question and not upstream_compat:
        name = name.removeprefix("the ")
    return question.format(class_name=name)


def drawn(count: int, at_most: int, rng: np.random.Generator) -> list[int]:
    """Draw up to `at_most` of the numbers below `count`, none twice, in random order."""
    return [int(index) for index in rng.permutation(count)[:at_most]]


def sentence_question(sentence: str, rng: np.random.Generator) -> str:
    """Ask with a whole sentence, as it is."""
    return pick(LONG_QUESTIONS, rng).format(sent=sentence)


def explained_question(text: str, rng: np.random.Generator) -> str:
    """Ask for a mask and for the reason why."""
    return f"{text} {pick(EXPLANATORY_QUESTIONS, rng)}"


def accepting_answer(rng: np.random.Generator) -> str:
    """One of the answers that hold one `[SEG]`."""
    return pick(ANSWERS, rng)


def validation_turn(text: str, is_sentence: bool) -> Turn:
    """The one form in which published validation asks, and the answer that it supplies."""
    asked = text.strip()
    if not is_sentence:
        asked = f"What is {asked} in this image?"
    return Turn(f"{asked} Please output segmentation mask.", SUPPLIED_ANSWER)


def checked_text(text: str, where: str) -> str:
    """Return the text, which must say something, and hold no token that stands for something.

    Raises:
        DatasetError: it is blank, no text in Unicode, or holds `[SEG]` or `<image>`.

    """
    if not text.strip():
        raise DatasetError(f"{where} is empty. Write a text, or delete the entry.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DatasetError(
            f"{where} holds half of a character, {text[error.start]!r}. Write the text anew."
        ) from error
    for token in (SEG_TOKEN, IMAGE_TOKEN):
        if token in text:
            raise DatasetError(
                f"{where} holds {token}, which has a meaning to the model: {text[:80]!r}. "
                "Remove it from the text."
            )
    return text
