"""Put a question to a model and look at what comes back before anything is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lisa_ros.errors import ConfigurationError, ModelError
from lisa_ros.inference.segmenter import DEFAULT_MAX_NEW_TOKENS, EncodedImage, Mode, Segmenter
from lisa_ros.types import BoolArray, Segmentation
from training.evaluation.asked import Asked


@dataclass(frozen=True)
class Protocol:
    """How questions are put.

    mode: "prompted" supplies the answer `[SEG].`, as published evaluations do; "generated" lets the
    model write, and counts all its masks together, or none. max_new_tokens: where it is cut.
    """

    mode: Mode
    max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS


class Answered(NamedTuple):
    """predicted: bool[H,W], all masks of the answer together. text: of the answer."""

    predicted: BoolArray
    text: str
    n_masks: int
    seg_probability: float


def answered(
    segmenter: Segmenter, encoded: EncodedImage, asked: Asked, protocol: Protocol
) -> Answered:
    """Ask one question about an encoded image.

    Raises:
        ModelError: masks of another size or dtype, or a probability that is none.
        InstructionError: the question cannot be put to this model, for example too long.

    """
    segmentation = segmenter.segment(
        encoded, asked.text, mode=protocol.mode, max_new_tokens=protocol.max_new_tokens
    )
    _check(segmentation, asked)
    return Answered(
        predicted=np.logical_or.reduce(segmentation.masks, axis=0),
        text=segmentation.text,
        n_masks=len(segmentation.masks),
        seg_probability=segmentation.seg_probability,
    )


def check_never_rejects(segmenter: Segmenter) -> None:
    """Raise ConfigurationError for a segmenter that refuses below a threshold.

    Masks are judged before rejection, and what a threshold makes of them is counted afterwards.
    """
    if segmenter.capabilities.found_threshold is not None:
        raise ConfigurationError(
            "Evaluation judges masks before rejection; give it a segmenter without found_threshold."
        )


def _check(segmentation: Segmentation, asked: Asked) -> None:
    masks, size = segmentation.masks, asked.truth.shape
    if masks.dtype != np.bool_ or masks.shape[1:] != size:
        raise ModelError(
            f"The model answered {asked.text!r} with masks of dtype {masks.dtype} and shape "
            f"{masks.shape}; expected bool[S,{size[0]},{size[1]}], the size of the true mask."
        )
    if not 0 <= segmentation.seg_probability <= 1:
        raise ModelError(
            f"The model answered {asked.text!r} with seg_probability "
            f"{segmentation.seg_probability}; expected 0..1. Its logits are damaged: load it in "
            "float32 (--dtype float32), and if that does not help, get the checkpoint again."
        )
