"""Questions about things by their names, each a conversation of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.data.phrasing import accepting_answer, phrase_question
from training.data.sample import Conversation, Turn


def class_conversations(
    names: Sequence[str], rng: np.random.Generator, upstream_compat: bool = False
) -> tuple[Conversation, ...]:
    """Ask for each name once, in lower case, with upstream's short questions and answers.

    upstream_compat: keep "the the", where a question with an article meets a name with one.
    """
    questions = [phrase_question(name, rng, upstream_compat=upstream_compat) for name in names]
    return tuple((Turn(question, accepting_answer(rng)),) for question in questions)
