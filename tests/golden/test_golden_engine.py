"""The fast path gives upstream's answers too, held to the same tolerances as the slow twin.

Generated answers are compared with the golden arrays, prompted ones with the twin on the same
prompt, and with the golden arrays where upstream's answer happened to open with `[SEG]`.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_cases import CASE_RULES, compare_top5, exchanges_of, unpacked, vision_of
from golden_data import Golden, GoldenSet, loaded, read_image
from parity import MASK_LOGIT, STATE, Comparison, Deviations

from lisa_ros.errors import EmptyInstructionError
from lisa_ros.inference.encoded import LisaImage
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.inference.generation import greedy, prefill
from lisa_ros.inference.instruction import clean_instruction
from lisa_ros.inference.reference import forced
from lisa_ros.model.checkpoint import LoadedLisa
from lisa_ros.model.tokenizer import LisaTokenizer, Span
from lisa_ros.types import Segmentation, Turn

# `make check` has the twin against the same arrays, and the engine against the twin.
pytestmark = pytest.mark.slow


@functools.cache
def engine_for(checkpoint: Path, conversation: str) -> LisaEngine:
    """Return an engine that asks as upstream does: its view, nothing around the user's words."""
    return LisaEngine(
        loaded(checkpoint),
        conversation=conversation,
        view="center",
        prompt_template="{instruction}",
        found_threshold=None,
    )


@functools.lru_cache(maxsize=4)
def encoded_image(engine: LisaEngine, image: Path) -> LisaImage:
    return engine.encode_image(read_image(image))


def asked(case: Golden, golden_ids: np.ndarray) -> tuple[LisaEngine, str, list[Turn]]:
    """Return the engine, question and history of a case, whose ids must be upstream's.

    Skips a case whose words upstream takes for more than words: the engine does not.
    """
    engine = engine_for(case.checkpoint, case.meta["conv_type"])
    *earlier, (question, _) = exchanges_of(case.meta)
    history = [Turn(*exchange) for exchange in earlier]
    tokenizer = loaded(case.checkpoint).tokenizer
    if not all(plain(tokenizer, text) for text in [question, *(t.instruction for t in history)]):
        pytest.skip("the user's words hold special tokens or spaces that the engine takes out")
    assert engine.prompt_ids(question, history) == golden_ids.tolist()
    return engine, question, history


def plain(tokenizer: LisaTokenizer, words: str) -> bool:
    try:
        cleaned = clean_instruction(words)
    except EmptyInstructionError:
        return False
    as_user, as_template = (tokenizer.encode_prompt([Span(words, t)]) for t in (False, True))
    return cleaned == words and as_user == as_template


def test_generated(case: Golden, golden_set: GoldenSet, deviations: Deviations) -> None:
    arrays = golden_set.arrays(case)
    engine, question, history = asked(case, arrays["input_ids"])
    lisa, image = loaded(case.checkpoint), encoded_image(engine, case.image)
    n_new = case.meta["max_new_tokens"]
    compare = Comparison(deviations)

    ids = engine.prompt_ids(question, history)
    with torch.inference_mode():
        start = prefill(lisa.model, image.prefix, ids)
        steps = list(greedy(lisa.model, start, lisa.tokenizer.eos_id, n_new))
    compare.equal("engine output_ids", [*ids, *(s.token for s in steps)], arrays["output_ids"])
    compare_top5(compare, "engine", torch.stack([s.logits for s in steps]), arrays)

    answer = engine.segment(
        image, question, mode="generated", history=history, max_new_tokens=n_new
    )
    new = slice(ids.count(lisa.tokenizer.seg_id), None)  # upstream decodes earlier ones again
    computed = engine_arrays(lisa, image, answer, case.meta["final_logits_stride"])
    states = [s.hidden for s in steps if s.token == lisa.tokenizer.seg_id]
    if states:
        computed["hidden_at_used"] = torch.stack(states)
    compare_answer(compare, answer, computed, arrays, new)
    compare.equal("engine n_masks", answer.text.count("[SEG]"), len(answer.masks))
    assert letters(case.meta["text_output"]).endswith(letters(answer.text))
    compare.finish()


def test_prompted(case: Golden, golden_set: GoldenSet, deviations: Deviations) -> None:
    arrays = golden_set.arrays(case)
    engine, question, history = asked(case, arrays["input_ids"])
    lisa, image = loaded(case.checkpoint), encoded_image(engine, case.image)
    ids, seg = engine.prompt_ids(question, history), lisa.tokenizer.seg_id
    compare = Comparison(deviations)

    answer = engine.segment(image, question, history=history)
    vision = vision_of(lisa, read_image(case.image))
    twin = forced(lisa.model, [*ids, seg], vision, seg_id=seg)
    logits = mask_logits(lisa, image, answer)[1]
    compare.close(
        "prompted pred_embeddings", answer.seg_embeddings, twin.pred_embeddings[-1:], STATE
    )
    compare.close("prompted mask logits", logits, twin.mask_logits[-1:], MASK_LOGIT)
    compare.masks("prompted masks", answer.masks, logits, twin.mask_logits[-1:] > 0)
    if arrays["output_ids"][len(ids)] == seg:
        computed = engine_arrays(lisa, image, answer, case.meta["final_logits_stride"])
        n_earlier = ids.count(seg)
        compare_answer(compare, answer, computed, arrays, slice(n_earlier, n_earlier + 1))
    compare.finish()


def letters(text: str) -> str:
    """Return a text without what the engine leaves out of it or spaces in its own way."""
    return "".join(text.removesuffix("</s>").split()).rstrip("\N{REPLACEMENT CHARACTER}")


def compare_answer(
    compare: Comparison,
    answer: Segmentation,
    computed: dict[str, Any],
    arrays: dict[str, np.ndarray],
    rows: slice,
) -> None:
    """Compare what the engine and upstream both have of the `[SEG]` in these rows."""
    for name in sorted(computed.keys() & arrays.keys()):
        compare.close(f"engine {name}", computed[name], arrays[name][rows], CASE_RULES[name])
    expected = unpacked(arrays["final_mask_packed"][rows], answer.masks.shape)
    compare.masks("engine masks", answer.masks, computed["mask_logits"], expected)


def engine_arrays(
    lisa: LoadedLisa, image: LisaImage, answer: Segmentation, stride: int
) -> dict[str, Any]:
    """Return what a `case_*.npz` holds of an answer, and all its `mask_logits`."""
    low_res, logits = mask_logits(lisa, image, answer)
    return {
        "pred_embeddings": answer.seg_embeddings,
        "low_res_masks": low_res[:, None],
        "final_logits_strided": logits[:, ::stride, ::stride],
        "mask_logits": logits,
    }


@torch.inference_mode()
def mask_logits(
    lisa: LoadedLisa, image: LisaImage, answer: Segmentation
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the low-resolution and final logits behind the masks of an answer."""
    embeddings = torch.from_numpy(answer.seg_embeddings)
    low_res, _ = lisa.model.decode_masks(image.sam_embedding, embeddings)
    return low_res, lisa.model.postprocess_masks(low_res, image.resized_hw, image.image_hw)
