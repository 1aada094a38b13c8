"""Questions about things by their names, each a conversation of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lisa_ros.model.prompts import SHORT_QUESTIONS
from training.data.phrasing import accepting_answer, pick
from training.data.sample import Conversation, Turn

QUESTIONS_PER_IMAGE = 3  # upstream's num_classes_per_sample
_ARTICLE = "the "


def class_conversations(
    names: Sequence[str], rng: np.random.Generator, upstream_compat: bool = False
) -> tuple[Conversation, ...]:
    """Ask for each name once, in lower case, with upstream's short questions and answers.

    upstream_compat: keep "the the", where a question with an article meets a name with one.
    """
    return tuple((_turn(name.lower(), rng, upstream_compat),) for name in names)


def _turn(name: str, rng: np.random.Generator, upstream_compat: bool) -> Turn:
    question = pick(SHORT_QUESTIONS, rng)
    if f"{_ARTICLE}{{class_name}}" in question and not upstream_compat:
        name = name.removeprefix(_ARTICLE)
    return Turn(question.format(class_name=name), accepting_answer(rng))
