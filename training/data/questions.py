"""From a request about a room to the tokens of one question with its answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lisa_ros.errors import TokenizerError
from lisa_ros.model.prompts import (
    ANSWERS,
    REFUSAL,
    SUPPLIED_ANSWER,
    conversation_named,
    render,
    wrap_instruction,
)
from lisa_ros.model.tokenizer import IMAGE_TOKEN_INDEX, LisaTokenizer
from training.packing import Branch

_OTHER_ANSWERS = tuple(answer for answer in ANSWERS if answer != SUPPLIED_ANSWER)


@dataclass(frozen=True)
class QuestionEncoder:
    """Tokenises questions the way the engine asks them, and their answers.

    bare_answer_share: how often the answer is the "[SEG]." that the prompted mode supplies; the
    rest is spread evenly over upstream's other answers. Below one half, greedy generation opens
    with a word. The prompted mode reads its mask from the state that ends the prompt, so half of
    the worded answers are trained to give it there too, the other half before their `[SEG]`.
    """

    tokenizer: LisaTokenizer
    conversation: str
    prompt_template: str
    bare_answer_share: float

    def prefix(self) -> tuple[int, ...]:
        """Ids up to and including the image placeholder: the same for every question."""
        ids = self._ids("x", None)
        return tuple(ids[: ids.index(IMAGE_TOKEN_INDEX) + 1])

    def branch(self, instruction: str, present: bool, rng: np.random.Generator) -> Branch:
        """The tokens that follow the image: question, answer and end of sentence.

        Raises:
            TokenizerError: the answer would change the tokens of its question.

        """
        prompt = self._ids(instruction, None)
        whole = self._ids(instruction, self._answer(present, rng))
        if whole[: len(prompt)] != prompt:
            raise TokenizerError(f"The answer changes the tokens of its question {instruction!r}.")
        cut = prompt.index(IMAGE_TOKEN_INDEX) + 1
        seg_query = None
        if present:
            seg = whole.index(self.tokenizer.seg_id, len(prompt))
            seg_query = (len(prompt) if rng.random() < 0.5 else seg) - 1 - cut
        return Branch(tuple(whole[cut:]), len(prompt) - cut, seg_query)

    def _ids(self, instruction: str, answer: str | None) -> list[int]:
        question = wrap_instruction(instruction, self.prompt_template)
        return self.tokenizer.encode_prompt(
            render(conversation_named(self.conversation), [(question, answer)])
        )

    def _answer(self, present: bool, rng: np.random.Generator) -> str:
        if not present:
            return REFUSAL
        if rng.random() < self.bare_answer_share:
            return SUPPLIED_ANSWER
        return _OTHER_ANSWERS[int(rng.integers(len(_OTHER_ANSWERS)))]
