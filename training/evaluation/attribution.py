"""Why an answer misses: the model did not understand, or it could not see.

SAM's decoder of the same checkpoint, on the same image embedding, is shown the truth: a click in
the middle of the true mask, and the box around it. If either gives a mask with IoU of one half or
more, the object can be seen, and the language side asked for something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lisa_ros.errors import ModelError
from lisa_ros.inference.encoded import LisaImage
from lisa_ros.inference.finite import check_finite
from lisa_ros.inference.segmenter import EncodedImage
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.types import BoolArray, UInt8Array
from training.evaluation.record import Miss
from training.metrics import TARGET, mask_iou, pixel_counts

HIT_IOU = 0.5


class TruePrompts(NamedTuple):
    """Where the truth is: click (u, v) and box (left, top, right, bottom), pixels of the image.

    Coordinates are of pixels, whose centres are at integers; right and bottom are inside.
    """

    click: tuple[int, int]
    box: tuple[int, int, int, int]


# An encoded image and the true prompts → masks bool[N,H,W].
Oracle = Callable[[EncodedImage, TruePrompts], BoolArray]


def attributed(encoded: EncodedImage, truth: UInt8Array, oracle: Oracle) -> Miss:
    """Say why a target was missed. truth: u8[H,W] with at least one pixel of 1."""
    masks = oracle(encoded, true_prompts(truth == TARGET))
    best = max(_ious(masks, truth))
    return "did not understand" if best >= HIT_IOU else "did not see"


def true_prompts(target: BoolArray) -> TruePrompts:
    """The click and the box for a mask bool[H,W] that is not empty.

    The click is the first of the pixels farthest (in city blocks) from the mask's edge, beyond
    which the image's border counts too: inside the thickest part, also of a mask in several parts.
    """
    depth = _blocks_to_edge(target)
    v, u = np.unravel_index(int(depth.argmax()), depth.shape)
    rows, columns = np.flatnonzero(target.any(axis=1)), np.flatnonzero(target.any(axis=0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1]))
    return TruePrompts((int(u), int(v)), box)


def sam_oracle(model: LisaForCausalLM) -> Oracle:
    """SAM's decoder inside a LISA, for images that a `LisaEngine` of this model encoded."""

    @torch.inference_mode()
    def masks(encoded: EncodedImage, prompts: TruePrompts) -> BoolArray:
        if not isinstance(encoded, LisaImage):
            raise ModelError(
                f"SAM is asked about an image of type {type(encoded).__name__}; expected one that "
                "LisaEngine encoded in one piece (view center or letterbox)."
            )
        sam = model.sam
        scale = (
            encoded.resized_hw[1] / encoded.image_hw[1],
            (encoded.resized_hw[0] / encoded.image_hw[0]),
        )
        sparse = _embedded(model, _scaled(prompts.click, scale), _scaled(prompts.box, scale))
        _, dense = sam.embed_prompts(sparse[:, 0])
        low_res, _ = sam.mask_decoder(
            image_embeddings=encoded.sam_embedding[None],
            image_pe=sam.dense_positional_encoding(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        logits = model.postprocess_masks(low_res[:, 0], encoded.resized_hw, encoded.image_hw)
        check_finite(logits, "The mask logits for the true click and box")
        found: BoolArray = (logits > 0).cpu().numpy()
        return found

    return masks


def _embedded(model: LisaForCausalLM, click: list[float], box: list[float]) -> Tensor:
    """Prompts [2,2,C]: the click with SAM's padding point, and the two corners of the box.

    In float32 whatever the weights are in, which is what segment-anything computes with.
    """
    encoder, device = model.sam.prompt_encoder, model.device
    weights = {name: tensor.float() for name, tensor in encoder.state_dict().items()}
    point = torch.tensor([[click]], device=device), torch.ones((1, 1), device=device)
    corners = torch.tensor([box], device=device)
    parts = [
        torch.func.functional_call(
            encoder, weights, kwargs={"points": points, "boxes": boxes, "masks": None}
        )[0]
        for points, boxes in ((point, None), (None, corners))
    ]
    return torch.cat(parts).to(model.dtype)


def _scaled(xy: Iterable[int], scale: tuple[float, float]) -> list[float]:
    """From pixels of the image to those of SAM's input; alternately x and y."""
    return [(value + 0.5) * scale[axis % 2] - 0.5 for axis, value in enumerate(xy)]


def _ious(masks: BoolArray, truth: UInt8Array) -> list[float]:
    return [mask_iou(*pixel_counts(mask, truth)) for mask in masks]


def _blocks_to_edge(mask: BoolArray) -> np.ndarray:
    """i64[H,W], steps along rows and columns to the nearest pixel outside the mask; 0 outside."""
    padded = np.pad(mask, 1)
    far = sum(padded.shape)
    distance = np.where(padded, far, 0)
    for axis in (0, 1):
        shape = [1, 1]
        shape[axis] = -1
        place = np.arange(padded.shape[axis]).reshape(shape)
        before = np.minimum.accumulate(distance - place, axis=axis) + place
        behind = np.flip(np.minimum.accumulate(np.flip(distance + place, axis), axis=axis), axis)
        distance = np.minimum(before, behind - place)
    return distance[1:-1, 1:-1]
