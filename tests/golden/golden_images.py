"""Computing what a file of golden image arrays holds, and comparing all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from golden_data import Golden, loaded
from parity import PIXEL, STATE, Comparison, Deviations

from lisa_ros.model.checkpoint import LoadedLisa
from lisa_ros.model.preprocess import SAM_MEAN, SAM_STD, clip_input, clip_view, sam_input


def compare_image(
    image: Golden, rgb: np.ndarray, arrays: dict[str, np.ndarray], deviations: Deviations
) -> Comparison:
    """Run u8[H,W,3] through both towers and compare every array that is stored of the image."""
    compare = Comparison(deviations)
    computed = image_arrays(loaded(image.checkpoint), rgb)
    for name, expected in arrays.items():
        if name not in IMAGE_RULES:
            compare.failures.append(f"{name}: no rule says how to compare this array")
            continue
        rule = IMAGE_RULES[name]
        tolerance = rule(expected) if callable(rule) else rule
        if tolerance == 0:
            compare.equal(name, computed[name], expected)
        else:
            compare.close(name, computed[name], expected, tolerance)
    compare.equal("sam_resized_hw", computed["sam_resized_hw"], image.meta["sam_resized_hw"])
    return compare


def half_precision(expected: np.ndarray) -> float:
    """Return what rounding the largest value to float16 may add: half a unit in the last place."""
    return STATE + float(np.abs(expected).max()) * 2**-11


# Sums are taken over up to 3 million values that each may be off by rounding, always in float64.
IMAGE_RULES: dict[str, float | Callable[[np.ndarray], float]] = {
    "image_rgb_sha256": 0,
    "sam_resized_hw": 0,
    "sam_resized_u8_sha256": 0,
    "sam_resized_u8_stride8": 0,
    "sam_input_stride32": PIXEL,
    "sam_input_corner": PIXEL,
    "sam_input_sum_per_channel": 0.1,
    "sam_input_abs_sum": 0.1,
    "clip_pixel_u8": 0,
    "clip_pixel_values_stride4": PIXEL,
    "clip_pixel_values_sum": 0.01,
    "clip_features": STATE,
    "image_tokens": STATE,
    "sam_image_embedding_f16": half_precision,
    "sam_image_embedding_stride4": STATE,
    "sam_image_embedding_sum": 0.1,
    "dense_pe_stride8": STATE,
}


@torch.inference_mode()
def image_arrays(lisa: LoadedLisa, rgb: np.ndarray) -> dict[str, Any]:
    """Compute what an `image_*.npz` holds, under the same names."""
    sam = sam_input(rgb, lisa.model.sam.config.image_size)
    clip = clip_input(rgb, lisa.clip_processor)
    height, width = sam.resized_hw
    mean, std = torch.tensor(SAM_MEAN), torch.tensor(SAM_STD)
    inside = sam.pixels[:, :height, :width].permute(1, 2, 0)
    resized = (inside * std + mean).round().to(torch.uint8).numpy()
    embedding = lisa.model.encode_sam(sam.pixels[None])[0]
    pixels64 = sam.pixels.double()
    return {
        "image_rgb_sha256": sha256(rgb),
        "sam_resized_hw": sam.resized_hw,
        "sam_resized_u8_sha256": sha256(resized),
        "sam_resized_u8_stride8": resized[::8, ::8],
        "sam_input_stride32": sam.pixels[:, ::32, ::32],
        "sam_input_corner": sam.pixels[:, :4, :4],
        "sam_input_sum_per_channel": pixels64.sum(dim=(1, 2)),
        "sam_input_abs_sum": pixels64.abs().sum(),
        "clip_pixel_u8": clip_view(rgb, lisa.clip_processor).transpose(2, 0, 1),
        "clip_pixel_values_stride4": clip[:, ::4, ::4],
        "clip_pixel_values_sum": clip.double().sum(dim=(1, 2)),
        "clip_features": lisa.model.vision_tower(clip[None])[0],
        "image_tokens": lisa.model.encode_clip(clip[None])[0],
        "sam_image_embedding_f16": embedding.half(),
        "sam_image_embedding_stride4": embedding[:, ::4, ::4],
        "sam_image_embedding_sum": embedding.double().sum()[None],
        "dense_pe_stride8": lisa.model.sam.dense_positional_encoding()[0, :, ::8, ::8],
    }


def sha256(array: np.ndarray) -> np.ndarray:
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest()
    return np.frombuffer(digest, np.uint8)
