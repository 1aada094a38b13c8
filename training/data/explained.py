"""ReasonSeg's rule of explanations: what an answer consists of where its reason is known.

Source: dvlab-research/LISA. A small share of the answers is the reason alone, without a mask; of
the others half are a mask with the reason, half the mask alone.
"""

from __future__ import annotations

from enum import Enum

import numpy as np

from training.data.phrasing import (
    accepting_answer,
    explained_question,
    phrase_question,
    sentence_question,
)
from training.data.sample import Turn


class Style(Enum):
    """What an answer consists of."""

    MASK = "mask"
    MASK_AND_REASON = "mask and reason"
    REASON = "reason"

    @property
    def has_mask(self) -> bool:
        """Whether the answer holds a `[SEG]`."""
        return self is not Style.REASON


def draw_style(reason: str | None, reason_only_share: float, rng: np.random.Generator) -> Style:
    """The style of an answer with this reason; a mask where none is known."""
    if reason is None:
        return Style.MASK
    if rng.random() < reason_only_share:
        return Style.REASON
    return Style.MASK if rng.random() < 0.5 else Style.MASK_AND_REASON


def answered(
    text: str,
    is_sentence: bool,
    style: Style,
    reason: str | None,
    rng: np.random.Generator,
    *,
    upstream_compat: bool = False,
) -> Turn:
    """Ask for what is there, and answer. upstream_compat: as in `phrase_question`."""
    if style is not Style.MASK and reason is not None:
        if style is Style.REASON:
            return Turn(text, reason)
        return Turn(explained_question(text, rng), f"{accepting_answer(rng)} {reason}")
    if is_sentence:
        return Turn(sentence_question(text, rng), accepting_answer(rng))
    question = phrase_question(text, rng, upstream_compat=upstream_compat)
    return Turn(question, accepting_answer(rng))
