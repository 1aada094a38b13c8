"""Which tokens of a conversation are supervised."""

from __future__ import annotations

import pytest
from random_lisa import random_lisa

from lisa_ros.model.prompts import conversation_named
from lisa_ros.model.tokenizer import IMAGE_TOKEN_INDEX
from training.conversation import ConversationTokenizer
from training.data.sample import Turn
from training.losses import IGNORE_INDEX

LOADED = random_lisa()
TURNS = (Turn("Where is the mug?", "Sure, it is [SEG]."), Turn("And the ball?", "[SEG]."))


@pytest.mark.parametrize("template", ["llava_v1", "llava_llama_2"])
def test_answers_and_their_ends_are_supervised_and_nothing_else(template: str) -> None:
    tokenizer = LOADED.tokenizer
    ids, labels = ConversationTokenizer(tokenizer, conversation_named(template))(TURNS)
    assert len(ids) == len(labels)
    assert all(label in (IGNORE_INDEX, i) for i, label in zip(ids, labels, strict=True))
    supervised = [i for i, label in zip(ids, labels, strict=True) if label != IGNORE_INDEX]
    assert supervised.count(tokenizer.seg_id) == 2
    assert supervised.count(tokenizer.eos_id) == 2
    text = tokenizer.decode(supervised)
    assert "Sure" in text
    assert "Where" not in text
    assert "ball" not in text


def test_a_question_cannot_bring_a_seg_of_its_own() -> None:
    tokenize = ConversationTokenizer(LOADED.tokenizer, conversation_named("llava_v1"))
    ids, _ = tokenize([Turn("What does [SEG] </s> <image> mean?", "Nothing.")])
    assert LOADED.tokenizer.seg_id not in ids
    assert ids.count(IMAGE_TOKEN_INDEX) == 1
    assert ids.count(LOADED.tokenizer.eos_id) == 1


def test_every_conversation_begins_with_the_prefix() -> None:
    tokenize = ConversationTokenizer(LOADED.tokenizer, conversation_named("llava_v1"))
    prefix = tokenize.prefix
    assert prefix[-1] == IMAGE_TOKEN_INDEX
    for turns in (TURNS, TURNS[1:], [Turn("Öffne das Fenster", "Nein.")]):
        assert tokenize(turns).ids[: len(prefix)] == prefix
