"""The network, the tokenizer and the slow reference twin compute what upstream LISA computed.

Tolerances in float32: ids and pixels equal; hidden states, embeddings and features within 1e-4;
mask logits within 2e-3; binary masks equal except where the mask's own |logit| is below 2e-3, at
most 0.02 % of the image.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_comparison import Comparison, Deviations
from golden_data import Golden, GoldenSet, read_image

from lisa_ros.inference.reference import Evaluation, Vision, evaluate
from lisa_ros.model.checkpoint import LoadedLisa, load_checkpoint
from lisa_ros.model.preprocess import SAM_MEAN, SAM_STD, clip_input, clip_view, sam_input
from lisa_ros.model.prompts import conversation_named, render, text_of
from lisa_ros.model.tokenizer import Span

STATE = 1e-4
PIXEL = 1e-6
MASK_LOGIT = 2e-3
DIFFERENT_PIXELS = 2e-4


@functools.lru_cache
def loaded(checkpoint: Path) -> LoadedLisa:
    return load_checkpoint(checkpoint)


def test_sizes_and_ids_are_derived(checkpoint: Path, golden_set: GoldenSet) -> None:
    """The sizes come from the weights; where a file beside them says the sizes too, they agree."""
    lisa = loaded(checkpoint)
    listed = [
        group
        for group in golden_set.groups.values()
        if any(case["checkpoint"] == checkpoint.name for case in group["cases"].values())
    ]
    for group in listed:
        assert lisa.tokenizer.seg_id == group["seg_token_idx"]
        assert len(lisa.tokenizer) == group["seg_vocab"]
        for token, index in group["tokens"].items():
            assert lisa.tokenizer.encode(token, bos=False) == [index]
    sizes_file = checkpoint / "sam_tiny_config.json"
    if sizes_file.exists():
        sizes = json.loads(sizes_file.read_text())
        sizes.pop("note", None)
        assert sizes == upstream_sam_sizes(lisa)


def upstream_sam_sizes(lisa: LoadedLisa) -> dict[str, Any]:
    """Return the derived sizes under the names of segment-anything's builder."""
    sam = lisa.model.sam.config
    return {
        "encoder_embed_dim": sam.encoder_embed_dim,
        "encoder_depth": sam.encoder_depth,
        "encoder_num_heads": sam.encoder_num_heads,
        "encoder_global_attn_indexes": list(sam.encoder_global_attn_indexes),
        "prompt_embed_dim": sam.prompt_embed_dim,
        "image_size": sam.image_size,
        "vit_patch_size": sam.patch_size,
        "window_size": sam.window_size,
        "mlp_ratio": sam.encoder_mlp_dim / sam.encoder_embed_dim,
        "mask_in_chans": sam.mask_in_chans,
        "decoder_transformer_depth": sam.decoder_depth,
        "decoder_mlp_dim": sam.decoder_mlp_dim,
        "decoder_num_heads": lisa.model.sam.mask_decoder.transformer.num_heads,
        "num_multimask_outputs": sam.num_mask_tokens - 1,
        "iou_head_depth": sam.iou_head_depth,
        "iou_head_hidden_dim": sam.iou_head_hidden_dim,
    }


def test_image_side(image: Golden, golden_set: GoldenSet, deviations: Deviations) -> None:
    lisa = loaded(image.checkpoint)
    compare = Comparison(deviations)
    computed = image_arrays(lisa, read_image(image.image))
    for name, expected in golden_set.arrays(image).items():
        rule = IMAGE_RULES.get(name)
        assert rule is not None, f"{name}: no rule says how to compare this array"
        tolerance = rule(expected) if callable(rule) else rule
        if tolerance == 0:
            compare.equal(name, computed[name], expected)
        else:
            compare.close(name, computed[name], expected, tolerance)
    compare.equal("sam_resized_hw", computed["sam_resized_hw"], image.meta["sam_resized_hw"])
    compare.finish()


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


def test_case(case: Golden, golden_set: GoldenSet, deviations: Deviations) -> None:
    lisa = loaded(case.checkpoint)
    arrays = golden_set.arrays(case)
    prompt_ids = prompt_of(lisa, case.meta)
    result = evaluate(
        lisa.model,
        prompt_ids,
        vision_of(lisa, read_image(case.image)),
        seg_id=lisa.tokenizer.seg_id,
        eos_id=lisa.tokenizer.eos_id,
        max_new_tokens=case.meta["max_new_tokens"],
    )
    computed = case_arrays(result, prompt_ids, case.meta)
    compare = Comparison(deviations)
    for name, expected in arrays.items():
        if name == "final_mask_packed":
            compare_masks(compare, result.mask_logits.numpy(), expected)
            continue
        assert name in CASE_RULES, f"{name}: no rule says how to compare this array"
        if CASE_RULES[name] == 0:
            compare.equal(name, computed[name], expected)
        else:
            compare.close(name, computed[name], expected, CASE_RULES[name])
    compare_facts(compare, lisa, result, prompt_ids, case.meta)
    compare.finish()


CASE_RULES: dict[str, float] = {
    "input_ids": 0,
    "output_ids": 0,
    "seg_positions": 0,
    "hidden_index_used": 0,
    "hidden_at_used": STATE,
    "hidden_at_seg_itself": STATE,
    "last_hidden_stride8": STATE,
    "pred_embeddings": STATE,
    "sparse_embeddings": STATE,
    "dense_embedding_00": STATE,
    "low_res_masks": MASK_LOGIT,
    "iou_predictions": STATE,
    "step_top5_logits": STATE,
    "step_top5_ids": 0,
    "final_logits_strided": MASK_LOGIT,
}


def prompt_of(lisa: LoadedLisa, meta: dict[str, Any]) -> list[int]:
    """Build the prompt from the user's words and check its text against upstream's."""
    said = meta["user_text"]
    turns = [said, ""] if isinstance(said, str) else list(said)
    questions = [text.removeprefix("<image>\n") for text in turns[0::2]]
    exchanges = [
        ([Span(question, trusted=True)], answer or None)  # upstream trusts every word
        for question, answer in zip(questions, turns[1::2], strict=True)
    ]
    spans = render(conversation_named(meta["conv_type"]), exchanges)
    assert text_of(spans) == meta["prompt"]
    return lisa.tokenizer.encode_prompt(spans)


def vision_of(lisa: LoadedLisa, rgb: np.ndarray) -> Vision:
    sam = sam_input(rgb, lisa.model.sam.config.image_size)
    clip = clip_input(rgb, lisa.clip_processor)
    return Vision(sam.pixels, clip, sam.resized_hw, rgb.shape[:2])


def case_arrays(result: Evaluation, prompt_ids: list[int], meta: dict[str, Any]) -> dict[str, Any]:
    """Return what a `case_*.npz` holds, under the same names."""
    stride = meta["final_logits_stride"]
    itself = [min(i + 1, len(result.hidden) - 1) for i in result.query_positions]
    top = result.step_logits.topk(5)
    return {
        "input_ids": prompt_ids,
        "output_ids": result.output_ids,
        "seg_positions": result.seg_positions,
        "hidden_index_used": result.query_positions,
        "hidden_at_used": result.hidden[result.query_positions],
        "hidden_at_seg_itself": result.hidden[itself],
        "last_hidden_stride8": result.hidden[::8],
        "pred_embeddings": result.pred_embeddings,
        "sparse_embeddings": result.sparse,
        "dense_embedding_00": result.dense[:, :, 0, 0],
        "low_res_masks": result.low_res_logits[:, None],
        "iou_predictions": result.iou_predictions[:, None],
        "step_top5_logits": top.values,
        "step_top5_ids": top.indices,
        "final_logits_strided": result.mask_logits[:, ::stride, ::stride],
    }


def compare_masks(compare: Comparison, logits: np.ndarray, packed: np.ndarray) -> None:
    """Compare binary masks; only pixels on the very edge of zero may differ, and few of them."""
    pixels = logits.shape[1] * logits.shape[2]
    expected = np.unpackbits(packed, axis=1, count=pixels).astype(bool).reshape(logits.shape)
    different = (logits > 0) != expected
    clear = int((different & (np.abs(logits) >= MASK_LOGIT)).sum())
    compare.equal("mask pixels that differ clearly", clear, 0)
    share = different.mean(axis=(1, 2)) if len(logits) else np.zeros(0)
    compare.close("mask pixels that differ (share)", share, np.zeros(len(logits)), DIFFERENT_PIXELS)


def compare_facts(
    compare: Comparison,
    lisa: LoadedLisa,
    result: Evaluation,
    prompt_ids: list[int],
    meta: dict[str, Any],
) -> None:
    """Compare what cases.json says about a case beside its arrays."""
    spaced = lisa.tokenizer.decode(result.output_ids)
    shown = spaced.replace("\n", "").replace("  ", " ")
    compare.equal("text_output", shown, meta["text_output"])
    n_generated = len(result.output_ids) - len(prompt_ids)
    facts = {
        "n_input": len(prompt_ids),
        "n_generated": n_generated,
        "n_seg": len(result.seg_positions),
        "n_masks": len(result.mask_logits),
        "hidden_seq_len": len(result.hidden),
        "last_token_is_seg": result.output_ids[-1] == lisa.tokenizer.seg_id,
    }
    for name, value in facts.items():
        compare.equal(name, value, meta[name])
    compare.equal("mask_shape", result.mask_logits.shape, meta["mask_shape"])
    largest = result.step_logits.topk(2).values
    margin = float((largest[:, 0] - largest[:, 1]).min())
    compare.close("min_top1_top2_margin", margin, meta["min_top1_top2_margin"], 2 * STATE)


def test_a_wrong_state_would_be_noticed(golden_set: GoldenSet) -> None:
    """The suite can fail: the state of `[SEG]` itself is far from the one that predicts it."""
    with_state = [
        c for c in golden_set.cases if c.meta["n_seg"] and not c.meta["last_token_is_seg"]
    ]
    for case in with_state:
        arrays = golden_set.arrays(case)
        distance = np.abs(arrays["hidden_at_used"] - arrays["hidden_at_seg_itself"]).max()
        assert distance > 100 * STATE, case.name


def test_swapped_channels_would_be_noticed(image: Golden, golden_set: GoldenSet) -> None:
    """The suite can fail: BGR barely moves the masks, but the image tokens show it."""
    lisa = loaded(image.checkpoint)
    bgr = np.ascontiguousarray(read_image(image.image)[..., ::-1])
    with torch.inference_mode():
        tokens = lisa.model.encode_clip(clip_input(bgr, lisa.clip_processor)[None])[0].numpy()
    assert np.abs(tokens - golden_set.arrays(image)["image_tokens"]).max() > 100 * STATE


def test_comparison_fails_on_what_is_no_number() -> None:
    compare = Comparison(Deviations())
    compare.close("nan", [float("nan")], [0.0], 1.0)
    compare.close("shape", [0.0], [[0.0]], 1.0)
    compare.equal("ids", [1, 2], [1, 3])
    assert len(compare.failures) == 3
    with pytest.raises(AssertionError, match=r"nan.*\n.*shape.*\n.*ids"):
        compare.finish()
