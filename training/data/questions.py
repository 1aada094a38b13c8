"""From a request about a room to the tokens of one question with its answer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from lisa_ros.model.prompts import ANSWERS, REFUSAL, SUPPLIED_ANSWER, text_of, wrap_instruction
from training.conversation import ConversationTokenizer
from training.data.sample import Turn
from training.losses import IGNORE_INDEX
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

    tokenize: ConversationTokenizer
    prompt_template: str
    bare_answer_share: float

    def branch(self, instruction: str, present: bool, rng: np.random.Generator) -> Branch:
        """The tokens that follow the image: question, answer and end of sentence.

        Raises:
            TokenizerError: the answer would change the tokens of its question.

        """
        question = text_of(wrap_instruction(instruction, self.prompt_template))
        conversation = self.tokenize([Turn(question, self._answer(present, rng))])
        seg_id = self.tokenize.tokenizer.seg_id
        branch = Branch.of(conversation, self.tokenize.prefix, seg_id)
        if not present or rng.random() < 0.5:
            return branch
        answer_start = next(i for i, label in enumerate(branch.labels) if label != IGNORE_INDEX)
        return dataclasses.replace(branch, seg_queries=(answer_start - 1,))

    def _answer(self, present: bool, rng: np.random.Generator) -> str:
        if not present:
            return REFUSAL
        if rng.random() < self.bare_answer_share:
            return SUPPLIED_ANSWER
        return _OTHER_ANSWERS[int(rng.integers(len(_OTHER_ANSWERS)))]
