"""Packing several questions behind one prefix changes nothing but the cost."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lisa_ros.model.clip import ClipConfig
from lisa_ros.model.config import LisaConfig
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.sam_config import SamConfig
from training.losses import IGNORE_INDEX
from training.packing import Branch, pack_questions, packed_attention_mask, packed_position_ids


@pytest.fixture(scope="module")
def model() -> LisaForCausalLM:
    config = LisaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=128,
        rms_norm_eps=1e-6,
        out_dim=32,
        mm_hidden_size=16,
        vision_tower="clip",
    )
    sam = SamConfig(
        image_size=32,
        patch_size=16,
        encoder_embed_dim=16,
        encoder_depth=1,
        encoder_num_heads=2,
        encoder_mlp_dim=32,
        encoder_global_attn_indexes=(0,),
        window_size=2,
        prompt_embed_dim=32,
    )
    clip = ClipConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
    )
    return LisaForCausalLM.from_sizes(config, sam, clip, seed=0).eval()


def random_branches(seed: int, n: int) -> list[Branch]:
    rng = np.random.default_rng(seed)
    branches = []
    for _ in range(n):
        length = int(rng.integers(4, 12))
        start = int(rng.integers(1, length - 1))
        seg = int(rng.integers(start - 1, length - 1)) if rng.random() < 0.7 else None
        branches.append(Branch(tuple(int(i) for i in rng.integers(3, 50, length)), start, seg))
    return branches


@pytest.mark.parametrize("seed", range(4))
def test_packed_states_are_those_of_each_question_alone(model: LisaForCausalLM, seed: int) -> None:
    rows = [random_branches(10 * seed + i, n) for i, n in enumerate((3, 1, 5))]
    prefix = torch.randn(len(rows), 9, 32, generator=torch.Generator().manual_seed(seed))
    packed = pack_questions(rows, pad_id=0)
    with torch.inference_mode():
        embeds = torch.cat([prefix, model.embed(packed.ids)], dim=1)
        hidden, _ = model.hidden_states(
            embeds,
            attention_mask=packed_attention_mask(9, packed.owner),
            position_ids=packed_position_ids(9, packed.offset),
        )
        for b, row in enumerate(rows):
            for number, branch in enumerate(row):
                ids = torch.tensor([branch.ids])
                alone, _ = model.hidden_states(
                    torch.cat([prefix[b : b + 1], model.embed(ids)], dim=1)
                )
                inside = hidden[b, 9:][packed.owner[b] == number]
                torch.testing.assert_close(inside, alone[0, 9:], atol=1e-5, rtol=1e-5)


def test_targets_are_the_next_tokens_of_answers_only() -> None:
    rows = [
        [Branch((5, 6, 7, 8, 9), 3, 2), Branch((10, 11, 12), 1, None)],
        [Branch((20, 21, 22), 2, 1)],
    ]
    packed = pack_questions(rows, pad_id=0)
    ignore = IGNORE_INDEX
    assert packed.ids.tolist() == [[5, 6, 7, 8, 9, 10, 11, 12], [20, 21, 22, 0, 0, 0, 0, 0]]
    assert packed.targets.tolist() == [
        [ignore, ignore, 8, 9, ignore, 11, 12, ignore],
        [ignore, 22, ignore, ignore, ignore, ignore, ignore, ignore],
    ]
    assert packed.seg_rows.tolist() == [0, 1]
    assert packed.seg_columns.tolist() == [2, 1]


def test_padding_never_makes_nan(model: LisaForCausalLM) -> None:
    packed = pack_questions([[Branch((5, 6), 1, 0)], random_branches(1, 6)], pad_id=0)
    with torch.inference_mode():
        embeds = torch.cat([torch.zeros(2, 3, 32), model.embed(packed.ids)], dim=1)
        hidden, _ = model.hidden_states(
            embeds,
            attention_mask=packed_attention_mask(3, packed.owner),
            position_ids=packed_position_ids(3, packed.offset),
        )
    assert torch.isfinite(hidden).all()
