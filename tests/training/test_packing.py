"""Packing several questions behind one prefix changes nothing but the cost."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from random_lisa import random_lisa

from lisa_ros.model.prompts import conversation_named
from training.conversation import ConversationTokenizer
from training.data.sample import Turn
from training.losses import IGNORE_INDEX
from training.packing import Branch, pack_questions, packed_attention_mask, packed_position_ids

MODEL = random_lisa(0).model
WIDTH = MODEL.config.hidden_size


def random_branches(seed: int, n: int) -> list[Branch]:
    rng = np.random.default_rng(seed)
    branches = []
    for _ in range(n):
        length = int(rng.integers(4, 12))
        start = int(rng.integers(1, length - 1))
        ids = tuple(int(i) for i in rng.integers(3, 50, length))
        labels = (IGNORE_INDEX,) * start + ids[start:]
        branches.append(Branch(ids, labels, (start - 1,) if rng.random() < 0.7 else ()))
    return branches


@pytest.mark.parametrize("seed", range(4))
def test_packed_states_are_those_of_each_question_alone(seed: int) -> None:
    rows = [random_branches(10 * seed + i, n) for i, n in enumerate((3, 1, 5))]
    prefix = torch.randn(len(rows), 9, WIDTH, generator=torch.Generator().manual_seed(seed))
    packed = pack_questions(rows, pad_id=0)
    with torch.inference_mode():
        embeds = torch.cat([prefix, MODEL.embed(packed.ids)], dim=1)
        hidden, _ = MODEL.hidden_states(
            embeds,
            attention_mask=packed_attention_mask(9, packed.owner),
            position_ids=packed_position_ids(9, packed.offset),
        )
        for b, row in enumerate(rows):
            for number, branch in enumerate(row):
                ids = torch.tensor([branch.ids])
                alone, _ = MODEL.hidden_states(
                    torch.cat([prefix[b : b + 1], MODEL.embed(ids)], dim=1)
                )
                inside = hidden[b, 9:][packed.owner[b] == number]
                torch.testing.assert_close(inside, alone[0, 9:], atol=1e-5, rtol=1e-5)


def test_targets_are_the_next_tokens_of_answers_only() -> None:
    ignore = IGNORE_INDEX
    rows = [
        [
            Branch((5, 6, 7, 8, 9), (ignore, ignore, ignore, 8, 9), (2,)),
            Branch((10, 11, 12), (ignore, 11, 12), ()),
        ],
        [Branch((20, 21, 22), (ignore, ignore, 22), (1,))],
    ]
    packed = pack_questions(rows, pad_id=0)
    assert packed.ids.tolist() == [[5, 6, 7, 8, 9, 10, 11, 12], [20, 21, 22, 0, 0, 0, 0, 0]]
    assert packed.targets.tolist() == [
        [ignore, ignore, 8, 9, ignore, 11, 12, ignore],
        [ignore, 22, ignore, ignore, ignore, ignore, ignore, ignore],
    ]
    assert packed.seg_rows.tolist() == [0, 1]
    assert packed.seg_columns.tolist() == [2, 1]


def test_padding_never_makes_nan() -> None:
    packed = pack_questions(
        [[Branch((5, 6), (IGNORE_INDEX, 6), (0,))], random_branches(1, 6)], pad_id=0
    )
    with torch.inference_mode():
        embeds = torch.cat([torch.zeros(2, 3, WIDTH), MODEL.embed(packed.ids)], dim=1)
        hidden, _ = MODEL.hidden_states(
            embeds,
            attention_mask=packed_attention_mask(3, packed.owner),
            position_ids=packed_position_ids(3, packed.offset),
        )
    assert torch.isfinite(hidden).all()


def test_a_conversation_of_several_turns_asks_for_each_of_its_masks() -> None:
    loaded = random_lisa(0)
    tokenize = ConversationTokenizer(loaded.tokenizer, conversation_named("llava_v1"))
    turns = [Turn("Where?", "[SEG] and [SEG]."), Turn("Why?", "Because."), Turn("Left?", "[SEG].")]
    branch = Branch.of(tokenize(turns), tokenize.prefix, loaded.tokenizer.seg_id)
    assert [branch.ids[query + 1] for query in branch.seg_queries] == [loaded.tokenizer.seg_id] * 3
    assert list(branch.seg_queries) == sorted(branch.seg_queries)
