"""The language model over packed conversations."""

from __future__ import annotations

import torch
from torch import Tensor

from lisa_ros.model.lisa import LisaForCausalLM
from training.packing import PackedQuestions, packed_attention_mask, packed_position_ids


def packed_hidden_states(
    model: LisaForCausalLM, prefix: Tensor, questions: PackedQuestions, clip_features: Tensor
) -> tuple[Tensor, Tensor]:
    """Last hidden states of the image tokens, [B,N,D], and of the packed conversations, [B,M,D].

    prefix: i64[P], ids up to and including the image's. clip_features: [B,N,C'], what CLIP makes of
    the images, before the projector.
    """
    image_tokens = model.model.mm_projector(clip_features)
    shared = model.embed(prefix.expand(len(image_tokens), -1), image_tokens)
    embeds = torch.cat([shared, model.embed(questions.ids)], dim=1)
    length = shared.shape[1]
    hidden, _ = model.hidden_states(
        embeds,
        attention_mask=packed_attention_mask(length, questions.owner),
        position_ids=packed_position_ids(length, questions.offset),
    )
    return hidden[:, length - image_tokens.shape[1] : length], hidden[:, length:]
