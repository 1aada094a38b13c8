"""The slow twin: an answer as upstream LISA computes it, everything anew for every token, no cache.

Nothing in the package calls this; it is what the fast path and the golden arrays are compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lisa_ros.model.lisa import LisaForCausalLM, seg_query_positions


@dataclass(frozen=True)
class Vision:
    """One image: sam_pixels [3,S,S], clip_pixels [3,h,w], and its sizes (rows, columns)."""

    sam_pixels: Tensor
    clip_pixels: Tensor
    resized_hw: tuple[int, int]
    original_hw: tuple[int, int]


@dataclass(frozen=True)
class Evaluation:
    """All that is computed on the way to the masks; S counts the `[SEG]` of the prompt too.

    output_ids: prompt and answer. hidden: [L,D], states of the last forward pass (of the image's
    expanded sequence; the last id has none when it was just generated). step_logits: [steps,vocab].
    seg_positions: of each `[SEG]` in output_ids. query_positions: of the state that predicts it, in
    hidden. pred_embeddings: [S,C]. sparse: [S,1,C]. dense: [S,C,g,g]. low_res_logits: [S,4g,4g].
    iou_predictions: [S]. mask_logits: f32[S,H,W]; a mask is where they are > 0.
    """

    output_ids: list[int]
    hidden: Tensor
    step_logits: Tensor
    seg_positions: list[int]
    query_positions: list[int]
    pred_embeddings: Tensor
    image_embedding: Tensor
    sparse: Tensor
    dense: Tensor
    low_res_logits: Tensor
    iou_predictions: Tensor
    mask_logits: Tensor


@torch.inference_mode()
def evaluate(
    model: LisaForCausalLM,
    prompt_ids: Sequence[int],
    vision: Vision,
    *,
    seg_id: int,
    eos_id: int,
    max_new_tokens: int,
) -> Evaluation:
    """Answer a prompt greedily and decode a mask for every `[SEG]` of prompt and answer.

    prompt_ids holds the image once. max_new_tokens must be at least 1.
    """
    ids = list(prompt_ids)
    step_logits: list[Tensor] = []
    while len(step_logits) < max_new_tokens and (not step_logits or ids[-1] != eos_id):
        hidden = _hidden_states(model, ids, vision)
        step_logits.append(model.logits(hidden[-1]))
        ids.append(int(step_logits[-1].argmax()))
    return _decode(model, ids, hidden, torch.stack(step_logits), vision, seg_id)


@torch.inference_mode()
def forced(
    model: LisaForCausalLM, ids: Sequence[int], vision: Vision, *, seg_id: int
) -> Evaluation:
    """Decode the masks of a prompt whose answer is given, in one forward pass over both.

    This is upstream's validation. step_logits has one row, of the state that ends the sequence.
    """
    hidden = _hidden_states(model, ids, vision)
    return _decode(model, list(ids), hidden, model.logits(hidden[-1:]), vision, seg_id)


def _hidden_states(model: LisaForCausalLM, ids: Sequence[int], vision: Vision) -> Tensor:
    image_tokens = model.encode_clip(vision.clip_pixels[None].to(model.device, model.dtype))
    row = torch.tensor([list(ids)], device=model.device)
    hidden, _ = model.hidden_states(model.embed(row, image_tokens))
    return hidden[0]


def _decode(
    model: LisaForCausalLM,
    ids: list[int],
    hidden: Tensor,
    step_logits: Tensor,
    vision: Vision,
    seg_id: int,
) -> Evaluation:
    queries = seg_query_positions(ids, seg_id, model.num_image_tokens)
    embeddings = model.seg_embeddings(hidden[queries])
    image_embedding = model.encode_sam(vision.sam_pixels[None].to(model.device, model.dtype))[0]
    sparse, dense = model.sam.embed_prompts(embeddings)
    low_res, iou = model.decode_masks(image_embedding, embeddings)
    return Evaluation(
        output_ids=ids,
        hidden=hidden,
        step_logits=step_logits,
        seg_positions=[i for i, token in enumerate(ids) if token == seg_id],
        query_positions=queries,
        pred_embeddings=embeddings,
        image_embedding=image_embedding,
        sparse=sparse,
        dense=dense.detach(),
        low_res_logits=low_res,
        iou_predictions=iou,
        mask_logits=model.postprocess_masks(low_res, vision.resized_hw, vision.original_hw),
    )
