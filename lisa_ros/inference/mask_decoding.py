"""Masks of a whole image from embeddings that are decoded piece by piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from lisa_ros.inference.encoded import DecodableImage
from lisa_ros.inference.finite import check_finite
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.types import BoolArray, Float32Array, PixelBox


def join_embeddings(by_piece: Mapping[int, Tensor], n_pieces: int) -> Tensor:
    """Return [S,P,C]: the embeddings [S,C] of at least one piece, zeros for the others.

    Zeros say that a piece has no part in a mask; no model gives them out.
    """
    like = next(iter(by_piece.values()))
    joined = like.new_zeros((len(like), n_pieces, like.shape[1]))
    for piece, embeddings in by_piece.items():
        joined[:, piece] = embeddings
    return joined


def decode_pieces(
    model: LisaForCausalLM,
    pieces: Sequence[tuple[PixelBox, DecodableImage]],
    embeddings: Tensor,
    image_hw: tuple[int, int],
) -> tuple[BoolArray, Float32Array]:
    """Decode [S,P,C] on the P pieces of an image; see `join_embeddings`.

    Each piece decodes what it has a part in. Where pieces overlap the larger logit counts, so that
    a mask is the union of its parts, at any level. Returns masks bool[S,H,W] and their stability
    f32[S]. Raises ModelError for logits that are not finite.
    """
    merged = torch.full((len(embeddings), *image_hw), -torch.inf, device=embeddings.device)
    for (box, image), prompts in zip(pieces, embeddings.unbind(dim=1), strict=True):
        rows = prompts.any(dim=1).nonzero()[:, 0]
        low_res, _ = model.decode_masks(image.sam_embedding, prompts[rows])
        logits = model.postprocess_masks(low_res, image.resized_hw, image.image_hw)
        check_finite(logits, "The mask logits")
        window = merged[rows, box.top : box.bottom, box.left : box.right]
        merged[rows, box.top : box.bottom, box.left : box.right] = torch.maximum(window, logits)
    return (merged > 0).cpu().numpy(), stability(merged)


def stability(logits: Tensor) -> Float32Array:
    """Return the IoU f32[S] of each mask at logit +1 and at -1; 0 where even the latter is empty.

    Both are nested, so that it is a ratio of areas. SAM's own IoU head is not trained in LISA.
    """
    inner = (logits > 1).sum(dim=(1, 2)).double()
    outer = (logits > -1).sum(dim=(1, 2)).double()
    return (inner / outer.clamp(min=1)).cpu().numpy().astype(np.float32)
