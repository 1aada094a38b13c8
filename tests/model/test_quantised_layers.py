"""Layers in 4 bits: near the whole ones, all else untouched, and a model that answers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from bitsandbytes.nn import Linear4bit
from random_lisa import random_lisa, write_random_lisa
from torch import nn

from lisa_ros.errors import ConfigurationError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.quantise import load_in_4_bits, loader_named, quantise_layers


def test_maps_stay_close_and_nothing_else_is_touched() -> None:
    model = random_lisa(0).model
    states = torch.randn(50, 32, generator=torch.Generator().manual_seed(0))
    plain = model.model.layers[0].mlp.up_proj(states)
    maps = sum(isinstance(m, nn.Linear) for m in model.model.layers.modules())
    linears = sum(isinstance(m, nn.Linear) for m in model.modules())
    quantise_layers(model, torch.float32)
    model.to("cpu")
    quantised = [m for m in model.modules() if isinstance(m, Linear4bit)]
    assert len(quantised) == maps
    assert all(m.weight.dtype == torch.uint8 for m in quantised)
    assert sum(isinstance(m, nn.Linear) for m in model.modules()) == linears
    found = model.model.layers[0].mlp.up_proj(states)
    # 9 % on wide layers; of so few blocks the scales, which are 8-bit themselves, are rough.
    assert 0.01 < (found - plain).norm() / plain.norm() < 0.25


def test_weights_wait_as_they_were_loaded() -> None:
    model = random_lisa(0).model.to(torch.bfloat16)
    loaded = model.model.layers[0].mlp.up_proj.weight
    quantise_layers(model, torch.bfloat16)
    waiting = model.model.layers[0].mlp.up_proj.weight
    assert waiting.dtype == torch.bfloat16
    assert waiting.data_ptr() == loaded.data_ptr()  # not copied


@pytest.mark.slow
def test_a_checkpoint_in_4_bits_answers_nearly_as_the_whole_one() -> None:
    image = np.random.default_rng(0).integers(0, 256, (216, 384, 3), dtype=np.uint8)
    whole, small = (
        LisaEngine.from_pretrained("lisa-tiny", quantization=name, found_threshold=None)
        for name in ("none", "nf4")
    )
    states = [engine.segment(image, "the mug").seg_embeddings for engine in (whole, small)]
    assert not np.array_equal(*states)
    cosine = (states[0] @ states[1].T) / (np.linalg.norm(states[0]) * np.linalg.norm(states[1]))
    assert cosine.item() > 0.9


def test_vision_towers_and_head_stay_whole(tmp_path: Path) -> None:
    write_random_lisa(tmp_path)
    model = load_in_4_bits(tmp_path, "cpu", torch.bfloat16).model
    assert model.dtype == torch.bfloat16
    for part in (model.sam, model.vision_tower, model.lm_head, model.model.mm_projector):
        assert not any(isinstance(module, Linear4bit) for module in part.modules())


def test_an_unknown_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"int3.*use none or nf4"):
        loader_named("int3")
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ConfigurationError, match="pip install bitsandbytes"):
        quantise_layers(random_lisa(0).model, torch.float32)
