"""Conversations as the language model is trained on them: token ids, and which are supervised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from lisa_ros.errors import TokenizerError
from lisa_ros.model.prompts import Conversation as Template
from lisa_ros.model.prompts import render
from lisa_ros.model.tokenizer import IMAGE_TOKEN_INDEX, LisaTokenizer, Span
from training.data.sample import Turn
from training.losses import IGNORE_INDEX


class TokenisedConversation(NamedTuple):
    """ids: with IMAGE_TOKEN_INDEX where the image goes. labels: ids, or IGNORE_INDEX, aligned."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class ConversationTokenizer:
    """Tokenises conversations in a template; answers and what ends them are supervised.

    Upstream finds the answers by counting tokens of pieces; asking for the ids of each prompt gives
    the same labels (tests/golden compares them) and fails loudly where ids do not line up.
    """

    tokenizer: LisaTokenizer
    template: Template

    def __call__(self, turns: Sequence[Turn]) -> TokenisedConversation:
        """Tokenise questions and answers about one image.

        Raises:
            TokenizerError: an answer would change the ids of its question.

        """
        exchanges = [([Span(turn.question, False)], turn.answer) for turn in turns]
        labels: list[int] = []
        ids: list[int] = []
        for index, (question, _) in enumerate(exchanges):
            prompt = self._encode([*exchanges[:index], (question, None)])
            ids = self._encode(exchanges[: index + 1])
            if ids[: len(prompt)] != prompt:
                raise TokenizerError(
                    f"The answer {turns[index].answer!r} changes the tokens of the question "
                    f"{turns[index].question!r}."
                )
            labels += [IGNORE_INDEX] * (len(prompt) - len(labels)) + ids[len(prompt) :]
        return TokenisedConversation(tuple(ids), tuple(labels))

    @cached_property
    def prefix(self) -> tuple[int, ...]:
        """The ids up to and including the image, with which every conversation begins."""
        ids = self._encode([([Span("?", False)], None)])
        return tuple(ids[: ids.index(IMAGE_TOKEN_INDEX) + 1])

    def _encode(self, exchanges: Sequence[tuple[Sequence[Span], str | None]]) -> list[int]:
        return self.tokenizer.encode_prompt(render(self.template, exchanges))
