"""What the trainer teaches is what the engine asks."""

from __future__ import annotations

import numpy as np
import pytest
from random_lisa import random_lisa

from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.prompts import DEFAULT_PROMPT_TEMPLATE, REFUSAL, conversation_named
from lisa_ros.model.tokenizer import IMAGE_TOKEN_INDEX
from training.conversation import ConversationTokenizer
from training.data.questions import QuestionEncoder
from training.losses import IGNORE_INDEX
from training.packing import Branch

LOADED = random_lisa()
SENTENCES = ["I am thirsty.", "the red mug", "Öffne [SEG] </s> das Fenster", "a" * 60]


def encoder(conversation: str, bare_answer_share: float = 0.4) -> QuestionEncoder:
    tokenize = ConversationTokenizer(LOADED.tokenizer, conversation_named(conversation))
    return QuestionEncoder(tokenize, DEFAULT_PROMPT_TEMPLATE, bare_answer_share)


def answer_start(branch: Branch) -> int:
    return next(i for i, label in enumerate(branch.labels) if label != IGNORE_INDEX)


@pytest.mark.parametrize("conversation", ["llava_v1", "llava_llama_2"])
@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("present", [True, False])
def test_prompts_are_the_engines(conversation: str, sentence: str, present: bool) -> None:
    asked = encoder(conversation)
    branch = asked.branch(sentence, present, np.random.default_rng(0))
    prompt = [*asked.tokenize.prefix, *branch.ids[: answer_start(branch)]]
    engine = LisaEngine(LOADED, conversation=conversation)
    assert prompt == engine.prompt_ids(sentence)
    assert prompt.count(IMAGE_TOKEN_INDEX) == 1


def test_the_query_is_the_state_before_seg_or_the_one_that_ends_the_prompt() -> None:
    rng = np.random.default_rng(0)
    where = {"before [SEG]": 0, "end of prompt": 0}
    for _ in range(40):
        branch = encoder("llava_v1", bare_answer_share=0.0).branch("the mug", True, rng)
        assert branch.ids.count(LOADED.tokenizer.seg_id) == 1
        assert branch.ids[-1] == LOADED.tokenizer.eos_id
        before_seg = branch.ids.index(LOADED.tokenizer.seg_id) - 1
        (query,) = branch.seg_queries
        assert query in (before_seg, answer_start(branch) - 1)
        where["before [SEG]" if query == before_seg else "end of prompt"] += 1
    assert min(where.values()) > 10


def test_the_bare_answer_is_predicted_by_the_last_token_of_the_prompt() -> None:
    branch = encoder("llava_v1", bare_answer_share=1.0).branch(
        "the mug", True, np.random.default_rng(0)
    )
    assert branch.seg_queries == (answer_start(branch) - 1,)


def test_absent_things_are_refused_in_words() -> None:
    branch = encoder("llava_v1").branch("the mug", False, np.random.default_rng(0))
    assert branch.seg_queries == ()
    assert LOADED.tokenizer.decode(branch.ids[answer_start(branch) : -1]) == REFUSAL
