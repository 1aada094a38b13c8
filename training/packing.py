"""Several conversations about one image in one sequence, behind a shared prefix.

A row is `prefix | question 1 | question 2 | ...`. The prefix (system prompt and image tokens) is
computed once; each question sees the prefix and itself, never another question, and its positions
continue from the prefix. So every state equals the one of the question alone
(tests/training/test_packing.py compares them), at a fraction of the cost: the prefix is about nine
tenths of a lisa-tiny prompt.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.conversation import TokenisedConversation
from training.losses import IGNORE_INDEX


@dataclass(frozen=True)
class Branch:
    """What follows the prefix of one conversation.

    ids and labels: aligned, IGNORE_INDEX where nothing is supervised. seg_queries: indices of the
    states that masks are read from, in the order of the masks: those that predict `[SEG]`.
    """

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    seg_queries: tuple[int, ...]

    @classmethod
    def of(
        cls, conversation: TokenisedConversation, prefix: tuple[int, ...], seg_id: int
    ) -> Branch:
        """Cut the prefix off a conversation, which must begin with it."""
        cut = len(prefix)
        assert conversation.ids[:cut] == prefix, "one template, one image in front"
        labels = conversation.labels[cut:]
        queries = tuple(index - 1 for index, label in enumerate(labels) if label == seg_id)
        return cls(conversation.ids[cut:], labels, queries)

    def with_early_mask(self) -> Branch:
        """The same, with the first mask read from the state that ends the first prompt."""
        answer = next(i for i, label in enumerate(self.labels) if label != IGNORE_INDEX)
        return dataclasses.replace(self, seg_queries=(answer - 1, *self.seg_queries[1:]))


@dataclass(frozen=True)
class PackedQuestions:
    """B rows of packed questions, padded to M tokens.

    ids, owner, offset, targets: i64[B,M]. owner is the number of the question in its row, -1 for
    padding; offset counts from the end of the prefix; targets[b,m] is the id that the state at m
    should predict. seg_rows, seg_columns: i64[S], the states that masks are read from, row by row.
    """

    ids: Tensor
    owner: Tensor
    offset: Tensor
    targets: Tensor
    seg_rows: Tensor
    seg_columns: Tensor

    def to(self, device: torch.device) -> PackedQuestions:
        """The same on another device."""
        named = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return PackedQuestions(**{name: tensor.to(device) for name, tensor in named.items()})


def pack_questions(rows: Sequence[Sequence[Branch]], pad_id: int) -> PackedQuestions:
    """Lay the questions of each image behind each other; padding goes to the right."""
    width = max(sum(len(branch.ids) for branch in row) for row in rows)
    ids = torch.full((len(rows), width), pad_id, dtype=torch.long)
    owner = torch.full_like(ids, -1)
    offset = torch.zeros_like(ids)
    targets = torch.full_like(ids, IGNORE_INDEX)
    seg: list[tuple[int, int]] = []
    for b, row in enumerate(rows):
        start = 0
        for number, branch in enumerate(row):
            tokens = torch.tensor(branch.ids)
            end = start + len(tokens)
            ids[b, start:end] = tokens
            owner[b, start:end] = number
            offset[b, start:end] = torch.arange(len(tokens))
            targets[b, start : end - 1] = torch.tensor(branch.labels[1:])
            seg += [(b, start + query) for query in branch.seg_queries]
            start = end
    places = torch.tensor(seg, dtype=torch.long).reshape(-1, 2)
    return PackedQuestions(ids, owner, offset, targets, places[:, 0], places[:, 1])


def packed_attention_mask(prefix_length: int, owner: Tensor) -> Tensor:
    """bool[B,1,L,L], True where row position i may look at j; L = prefix_length + M.

    Padding looks at the prefix (a row without any visible key would be NaN) and is seen by nobody.
    """
    batch, width = owner.shape
    length = prefix_length + width
    # The prefix is its own group, which everyone may look at.
    group = torch.cat([owner.new_full((batch, prefix_length), -2), owner], dim=1)
    same = group[:, :, None] == group[:, None, :]
    is_prefix = (group == -2)[:, None, :]
    is_padding = (group == -1)[:, None, :]
    causal = torch.ones(length, length, dtype=torch.bool, device=owner.device).tril()
    return (causal & (same | is_prefix) & ~is_padding)[:, None]


def packed_position_ids(prefix_length: int, offset: Tensor) -> Tensor:
    """i64[B,L]: 0..P-1 for the prefix, then each question from P on."""
    prefix = torch.arange(prefix_length, device=offset.device).expand(offset.shape[0], -1)
    return torch.cat([prefix, prefix_length + offset], dim=1)
