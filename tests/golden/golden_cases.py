"""Computing what a golden case holds, with the slow twin, and comparing all of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from golden_data import Golden, loaded, read_image
from parity import MASK_LOGIT, STATE, Comparison, Deviations

from lisa_ros.inference.reference import Evaluation, Vision, evaluate
from lisa_ros.model.checkpoint import LoadedLisa
from lisa_ros.model.preprocess import clip_input, sam_input
from lisa_ros.model.prompts import conversation_named, render, text_of
from lisa_ros.model.tokenizer import Span

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
    "final_logits_strided": MASK_LOGIT,
}


def compare_case(case: Golden, arrays: dict[str, np.ndarray], deviations: Deviations) -> Comparison:
    """Run a case on the twin and compare every array and fact that is stored of it."""
    lisa = loaded(case.checkpoint)
    compare = Comparison(deviations)
    prompt_ids = prompt_of(lisa, case.meta)
    result = run(lisa, case)
    computed = case_arrays(result, prompt_ids, case.meta)
    for name, expected in arrays.items():
        if name == "final_mask_packed":
            logits = result.mask_logits.numpy()
            compare.masks("masks", logits > 0, logits, unpacked(expected, logits.shape))
        elif name == "step_top5_ids":
            compare_top5(compare, "step", result.step_logits, arrays)
        elif name not in CASE_RULES:
            compare.failures.append(f"{name}: no rule says how to compare this array")
        elif CASE_RULES[name] == 0:
            compare.equal(name, computed[name], expected)
        else:
            compare.close(name, computed[name], expected, CASE_RULES[name])
    compare_facts(compare, lisa, result, prompt_ids, case.meta)
    return compare


def exchanges_of(meta: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the questions and answers of a case; the last answer is empty: it is to be found."""
    said = meta["user_text"]
    turns = [said, ""] if isinstance(said, str) else list(said)
    questions = [text.removeprefix("<image>\n") for text in turns[0::2]]
    return list(zip(questions, turns[1::2], strict=True))


def prompt_of(lisa: LoadedLisa, meta: dict[str, Any]) -> list[int]:
    """Build the prompt from the user's words and check its text against upstream's."""
    exchanges = [
        ([Span(question, trusted=True)], answer or None)  # upstream trusts every word
        for question, answer in exchanges_of(meta)
    ]
    spans = render(conversation_named(meta["conv_type"]), exchanges)
    assert text_of(spans) == meta["prompt"]
    return lisa.tokenizer.encode_prompt(spans)


def run(lisa: LoadedLisa, case: Golden) -> Evaluation:
    return evaluate(
        lisa.model,
        prompt_of(lisa, case.meta),
        vision_of(lisa, read_image(case.image)),
        seg_id=lisa.tokenizer.seg_id,
        eos_id=lisa.tokenizer.eos_id,
        max_new_tokens=case.meta["max_new_tokens"],
    )


def vision_of(lisa: LoadedLisa, rgb: np.ndarray) -> Vision:
    sam = sam_input(rgb, lisa.model.sam.config.image_size)
    clip = clip_input(rgb, lisa.clip_processor)
    return Vision(sam.pixels, clip, sam.resized_hw, rgb.shape[:2])


def case_arrays(result: Evaluation, prompt_ids: list[int], meta: dict[str, Any]) -> dict[str, Any]:
    """Return what a `case_*.npz` holds, under the same names."""
    stride = meta["final_logits_stride"]
    itself = [min(i + 1, len(result.hidden) - 1) for i in result.query_positions]
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
        "step_top5_logits": result.step_logits.topk(5).values,
        "final_logits_strided": result.mask_logits[:, ::stride, ::stride],
    }


def compare_top5(
    compare: Comparison, who: str, logits: torch.Tensor, arrays: dict[str, np.ndarray]
) -> None:
    """Compare logits [steps,vocab] at upstream's five likeliest tokens.

    Not the order of the five: among the runners-up it is a matter of rounding. That the five are
    the largest, `step_top5_logits` shows.
    """
    ids = torch.from_numpy(arrays["step_top5_ids"]).long()
    if len(ids) != len(logits):
        compare.failures.append(f"{who} logits: {len(logits)} steps, expected {len(ids)}")
        return
    found = logits.gather(1, ids)
    compare.close(f"{who} logits at upstream's top 5", found, arrays["step_top5_logits"], STATE)


def unpacked(packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    pixels = shape[1] * shape[2]
    return np.unpackbits(packed, axis=1, count=pixels).astype(bool).reshape(-1, *shape[1:])


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
    facts = {
        "n_input": len(prompt_ids),
        "n_generated": len(result.output_ids) - len(prompt_ids),
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
