"""From instructions and earlier turns to the ids that are put to the language model."""

from __future__ import annotations

from collections.abc import Sequence

from lisa_ros.inference.instruction import clean_instruction, clean_turn
from lisa_ros.model.prompts import (
    IMAGE_PREFIX,
    Conversation,
    accepting_first_tokens,
    render,
    wrap_instruction,
)
from lisa_ros.model.tokenizer import LisaTokenizer, Span
from lisa_ros.types import Turn


class Questions:
    """Prompts of one conversation and one template.

    prefix_ids: what stands before the question in each of them, the image included. accepting: ids
    that open an answer which accepts.
    """

    def __init__(self, tokenizer: LisaTokenizer, conversation: Conversation, template: str) -> None:
        """Raise TokenizerError when yes and no cannot be told apart."""
        self._tokenizer = tokenizer
        self._conversation = conversation
        self._template = template
        self.accepting = sorted(accepting_first_tokens(tokenizer, conversation))
        self.prefix_ids = tokenizer.encode_prompt([Span(conversation.opening + IMAGE_PREFIX, True)])

    def worded(self, instruction: str) -> list[Span]:
        """Return an instruction as it is put to the model; InstructionError if it cannot be."""
        return wrap_instruction(clean_instruction(instruction), self._template)

    def ids(self, question: Sequence[Span], history: Sequence[Turn]) -> list[int]:
        """Return a whole prompt, with IMAGE_TOKEN_INDEX for the image.

        Raises InstructionError for an earlier turn that cannot be put to the model.
        """
        exchanges = [
            ([Span(turn.instruction, False)], turn.response) for turn in map(clean_turn, history)
        ]
        spans = render(self._conversation, [*exchanges, (question, None)])
        return self._tokenizer.encode_prompt(spans)
