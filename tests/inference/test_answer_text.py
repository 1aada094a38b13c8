"""The text of an answer: its spacing, and that `[SEG]` in it is always the token."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_lisa import random_lisa

from lisa_ros.inference.answers import answer_text
from lisa_ros.model.prompts import CONVERSATIONS, render
from lisa_ros.model.tokenizer import Span

TOKENIZER = random_lisa().tokenizer
SEG, EOS = TOKENIZER.seg_id, TOKENIZER.eos_id
SPELT = TOKENIZER.encode_prompt([Span("[SEG]", False)], bos=False)  # in ordinary pieces
ids = st.lists(
    st.sampled_from([*SPELT, SEG, EOS])
    | st.just(SPELT).map(tuple)
    | st.integers(0, len(TOKENIZER) - 1),
    max_size=12,
).map(lambda parts: [i for part in parts for i in (part if isinstance(part, tuple) else [part])])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sure, it is [SEG] and [SEG].</s>", "Sure, it is [SEG] and [SEG]."),
        ("[SEG]", "[SEG]"),
        ("[SEG][SEG]", "[SEG] [SEG]"),
        ("It is [SEG]. The mug. </s>", "It is [SEG]. The mug."),
        ("", ""),
    ],
)
def test_spacing(text, expected):
    assert answer_text(TOKENIZER, TOKENIZER.encode(text, bos=False)) == expected


def test_the_spelt_word_is_not_the_token():
    answer = [*TOKENIZER.encode("It is", bos=False), *SPELT, SEG, *SPELT]
    assert TOKENIZER.decode(answer) == "It is [SEG] [SEG] [SEG]"
    assert answer_text(TOKENIZER, answer) == "It is [ SEG] [SEG] [ SEG]"


@given(ids, st.sampled_from(sorted(CONVERSATIONS)))
@settings(max_examples=200)
@example([*SPELT], "llava_v1")
@example([*SPELT[:-1], SEG, *SPELT], "llava_llama_2")
def test_seg_is_as_often_in_the_text_and_in_the_next_turn_as_in_the_ids(answer, conversation):
    text = answer_text(TOKENIZER, answer)
    assert text.count("[SEG]") == answer.count(SEG)
    question = [Span("and?", False)]
    spans = render(CONVERSATIONS[conversation], [(question, text), (question, None)])
    assert TOKENIZER.encode_prompt(spans).count(SEG) == answer.count(SEG)


@given(ids)
@example([*TOKENIZER.encode("中", bos=False)[-3:-1], *TOKENIZER.encode("\t", bos=False)[-1:]])
def test_without_the_spelt_word_the_text_is_the_decoding(answer):
    decoded = TOKENIZER.decode(answer)
    if decoded.count("[SEG]") == answer.count(SEG) and EOS not in answer:
        assert answer_text(TOKENIZER, answer).replace(" ", "") == decoded.rstrip(
            "\N{REPLACEMENT CHARACTER}"
        ).strip().replace(" ", "")


def test_a_letter_that_is_not_written_to_its_end_is_held_back():
    answer = TOKENIZER.encode("mug 中", bos=False)
    assert answer_text(TOKENIZER, answer) == "mug 中"
    assert answer_text(TOKENIZER, answer[:-1]).rstrip() == "mug"
