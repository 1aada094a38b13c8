"""The fast path equals the slow twin, over prompts and images, on a random LISA."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from parity import MASK_LOGIT, STATE, Comparison, Deviations
from random_lisa import noise_image, random_lisa

from lisa_ros.inference.engine import LisaEngine
from lisa_ros.inference.generation import greedy, prefill
from lisa_ros.inference.reference import Vision, evaluate, forced
from lisa_ros.model.preprocess import clip_input, sam_input
from lisa_ros.types import Turn

N_NEW = 10
MARGIN = 1e-3
LISA = random_lisa()
SEG, EOS = LISA.tokenizer.seg_id, LISA.tokenizer.eos_id
ENGINES = {
    (conversation, view): LisaEngine(LISA, conversation=conversation, view=view)
    for conversation in ("llava_v1", "llava_llama_2")
    for view in ("center", "letterbox")
}

sentences = st.text(
    st.sampled_from("the red mug,?.\n[SEG]</s><image>")
    | st.characters(exclude_categories=("Cs", "Cc")),
    min_size=1,
    max_size=30,
).filter(lambda text: text.strip())
images = st.builds(noise_image, st.integers(2, 40), st.integers(2, 40), seed=st.integers(0, 1000))
histories = st.lists(
    st.builds(Turn, sentences, st.sampled_from(["It is [SEG].", "[SEG] and [SEG].", "No."])),
    max_size=2,
)
cases = given(st.sampled_from(sorted(ENGINES)), images, sentences, histories)


def vision(image, view):
    pixels, resized_hw = sam_input(image, LISA.model.sam.config.image_size)
    return Vision(pixels, clip_input(image, LISA.clip_processor, view), resized_hw, image.shape[:2])


@torch.inference_mode()
def compare_masks(compare, engine, image, fast, slow_logits):
    """Compare the fast path's masks and the logits behind them with the twin's logits."""
    encoded = engine.encode_image(image)
    embeddings = torch.from_numpy(fast.seg_embeddings)
    low_res, _ = LISA.model.decode_masks(encoded.sam_embedding, embeddings)
    logits = LISA.model.postprocess_masks(low_res, encoded.resized_hw, encoded.image_hw)
    compare.close("mask logits", logits, slow_logits, MASK_LOGIT)
    compare.masks("masks", fast.masks, slow_logits, slow_logits > 0)


def smallest_margin(step_logits):
    best, second = step_logits.topk(2).values.unbind(dim=-1)
    return float((best - second).min())


@cases
@settings(max_examples=30, deadline=None)
def test_prompted(setup, image, instruction, history):
    engine = ENGINES[setup]
    ids = engine.prompt_ids(instruction, history)
    slow = forced(LISA.model, [*ids, SEG], vision(image, setup[1]), seg_id=SEG)
    fast = engine.segment(image, instruction, history=history)
    compare = Comparison(Deviations())
    compare.close("embedding", fast.seg_embeddings, slow.pred_embeddings[-1:], STATE)
    compare_masks(compare, engine, image, fast, slow.mask_logits[-1:])
    compare.finish()


@pytest.mark.slow
@cases
@settings(max_examples=30, deadline=None)
def test_generated(setup, image, instruction, history):
    engine = ENGINES[setup]
    ids = engine.prompt_ids(instruction, history)
    slow = evaluate(
        LISA.model, ids, vision(image, setup[1]), seg_id=SEG, eos_id=EOS, max_new_tokens=N_NEW
    )
    assume(smallest_margin(slow.step_logits) >= MARGIN)
    answer_ids = slow.output_ids[len(ids) :]

    with torch.inference_mode():
        encoded = engine.encode_image(image)
        steps = list(greedy(LISA.model, prefill(LISA.model, encoded.prefix, ids), EOS, N_NEW))
    assert [step.token for step in steps] == answer_ids
    compare = Comparison(Deviations())
    logits, hidden = (
        torch.stack([getattr(s, name) for s in steps]) for name in ("logits", "hidden")
    )
    compare.close("step logits", logits, slow.step_logits, STATE)
    compare.close("hidden", hidden, slow.hidden[-len(steps) :], STATE)

    fast = engine.segment(
        encoded, instruction, mode="generated", history=history, max_new_tokens=N_NEW
    )
    n_earlier = len(slow.seg_positions) - answer_ids.count(SEG)
    assert len(fast.masks) == answer_ids.count(SEG)
    compare.close("embeddings", fast.seg_embeddings, slow.pred_embeddings[n_earlier:], STATE)
    compare_masks(compare, engine, image, fast, slow.mask_logits[n_earlier:])
    compare.finish()


def test_the_cases_above_would_notice():
    """The random LISA answers with `[SEG]`, and depends on image, words and order."""
    engine = ENGINES["llava_v1", "center"]
    image = noise_image(30, 40, seed=3)
    ids = engine.prompt_ids("the red mug")
    slow = evaluate(
        LISA.model, ids, vision(image, "center"), seg_id=SEG, eos_id=EOS, max_new_tokens=N_NEW
    )
    assert slow.output_ids[len(ids) :].count(SEG) > 0
    asked = engine.segment(image, "the red mug").seg_embeddings
    for other in (
        engine.segment(noise_image(30, 40, seed=4), "the red mug"),
        engine.segment(image, "the mug red"),
        engine.segment(image, "the red mug", history=[Turn("and?", "It is [SEG].")]),
    ):
        assert np.abs(other.seg_embeddings - asked).max() > 0.05
