"""What learns and what stays frozen, with LoRA and without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from random_lisa import random_lisa
from torch import Tensor

from lisa_ros.model.lisa import LisaForCausalLM
from training.trainable import LoraSettings, choose_trainable, merge_lora

TESTS = Path(__file__).parents[1]
# Imports are counted in a process of its own.
PROGRAM = """
import sys
import training.export
from random_lisa import random_lisa
from training.trainable import LoraSettings, choose_trainable

model = random_lisa(0).model
choose_trainable(model, None)
assert not {"peft", "bitsandbytes"} & set(sys.modules)
choose_trainable(model, LoraSettings(rank=2))
assert "peft" in sys.modules
"""
IDS = torch.tensor([[1, 5, 9, 30]])


def states(model: LisaForCausalLM) -> Tensor:
    with torch.no_grad():
        return model.hidden_states(model.embed(IDS))[0]


def learning(model: LisaForCausalLM) -> set[str]:
    return {name for name, p in model.named_parameters() if p.requires_grad}


def test_lora_adapts_the_language_model_and_nothing_else() -> None:
    model = random_lisa(0).model
    choose_trainable(model, LoraSettings(rank=2))
    adapters = {name for name in learning(model) if "lora_" in name}
    layers = model.config.num_hidden_layers
    assert adapters == {
        f"model.layers.{layer}.self_attn.{projection}.lora_{ab}.default.weight"
        for layer in range(layers)
        for projection in ("q_proj", "v_proj")
        for ab in "AB"
    }
    others = learning(model) - adapters
    always = ("model.embed_tokens.", "lm_head.", "model.text_hidden_fcs.")
    assert all(name.startswith((*always, "model.visual_model.mask_decoder.")) for name in others)


def test_without_lora_the_language_model_learns_and_the_encoders_do_not() -> None:
    model = random_lisa(0).model
    choose_trainable(model, None)
    names = learning(model)
    assert {"model.norm.weight", "model.mm_projector.weight"} <= names
    frozen = ("vision_tower.", "model.visual_model.image_encoder.")
    assert not any(n.startswith((*frozen, "model.visual_model.prompt_encoder.")) for n in names)


def test_fresh_adapters_change_nothing_and_merged_ones_what_they_did() -> None:
    model = random_lisa(0).model
    keys = set(model.state_dict())
    plain = states(model)
    choose_trainable(model, LoraSettings(rank=2, dropout=0.0))
    torch.testing.assert_close(states(model), plain)
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted = states(model)
    assert not torch.allclose(adapted, plain, atol=1e-2)
    merge_lora(model)
    assert set(model.state_dict()) == keys
    torch.testing.assert_close(states(model), adapted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("lora", [None, LoraSettings(rank=2)])
def test_every_learning_parameter_but_the_iou_head_can_get_a_gradient(
    lora: LoraSettings | None,
) -> None:
    model = random_lisa(0).model
    choose_trainable(model, lora)
    hidden, _ = model.hidden_states(model.embed(IDS))
    sam = model.sam.config
    image = torch.randn(sam.prompt_embed_dim, sam.grid_size, sam.grid_size)
    masks, _ = model.decode_masks(image, model.seg_embeddings(hidden[0, -1:]))
    (masks.sum() + model.logits(hidden).sum()).backward()
    without = {n for n, p in model.named_parameters() if p.requires_grad and p.grad is None}
    unused = ("model.visual_model.mask_decoder.iou_prediction_head.", "model.mm_projector.")
    others = "model.visual_model.mask_decoder.output_hypernetworks_mlps."
    assert all(name.startswith((*unused, others)) for name in without), without


@torch.no_grad()
def test_only_rows_of_new_tokens_learn_where_that_is_asked() -> None:
    model, new = random_lisa(0).model, (704, 705, 706)
    keys, before = set(model.state_dict()), model.model.embed_tokens.weight.detach().clone()
    plain, logits = states(model), model.logits(states(model)).detach()
    choose_trainable(model, LoraSettings(rank=2, token_rows="new"), new)
    torch.testing.assert_close(states(model), plain)
    rows = [p for n, p in model.named_parameters() if p.requires_grad and "token_adapter" in n]
    assert [tuple(p.shape) for p in rows] == [(3, model.config.hidden_size)] * 2
    assert not any(n.endswith(("embed_tokens.weight", "lm_head.weight")) for n in learning(model))
    for parameter in rows:
        parameter.add_(1.0)
    adapted = model.logits(states(model))
    merge_lora(model)
    assert set(model.state_dict()) == keys
    after = model.model.embed_tokens.weight
    assert torch.equal(after[:704], before[:704])
    torch.testing.assert_close(after[704:], before[704:] + 1.0)
    merged = model.logits(states(model))
    torch.testing.assert_close(merged, adapted)
    assert not torch.allclose(merged[..., 704:], logits[..., 704:])
    torch.testing.assert_close(merged[..., :704], logits[..., :704])


@pytest.mark.slow
def test_peft_comes_with_lora_and_without_advice_about_4_bits() -> None:
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "gemm_4bit" not in done.stderr
