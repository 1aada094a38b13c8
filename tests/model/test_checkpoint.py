"""A LISA directory loads as it is, and exactly; saving and loading gives it back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from checkpoint_folders import (
    WEIGHTS,
    assert_equal_weights,
    change_weights,
    save_tiny,
    split_into_bins,
    weights_of,
)
from random_lisa import GOLDEN, LISA_SIZES, random_network
from safetensors.torch import load_file, save_file

from lisa_ros.errors import CheckpointMismatchError
from lisa_ros.model import checkpoint as checkpoint_module
from lisa_ros.model import locations
from lisa_ros.model.checkpoint import load_checkpoint
from lisa_ros.model.lisa import LisaForCausalLM


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_round_trip_is_exact(tmp_path: Path, tiny_model: LisaForCausalLM, dtype) -> None:
    settings = save_tiny(tmp_path / "saved", tiny_model, dtype)
    loaded = load_checkpoint(tmp_path / "saved", dtype=dtype)
    assert_equal_weights(loaded.model, {k: t.to(dtype) for k, t in weights_of(tiny_model).items()})
    assert loaded.config == tiny_model.config
    assert loaded.settings == settings
    assert loaded.model.sam.config == tiny_model.sam.config
    assert loaded.model.vision_tower.config == tiny_model.vision_tower.config
    assert not loaded.model.training
    assert len(loaded.tokenizer) == loaded.config.vocab_size
    saved = sorted(p.name for p in (tmp_path / "saved").iterdir())
    assert saved == [
        "added_tokens.json",
        "clip-vit-tiny",
        "config.json",
        "lisa.json",
        WEIGHTS,
        "special_tokens_map.json",
        "tokenizer.model",
        "tokenizer_config.json",
    ]
    stored = load_file(tmp_path / "saved" / WEIGHTS)
    assert {t.dtype for t in stored.values()} == {dtype}
    assert [p.name for p in tmp_path.iterdir()] == ["saved"]


def test_the_two_layer_projector_of_llava_1_5_has_its_keys_and_loads(tmp_path: Path) -> None:
    sizes = dataclasses.replace(LISA_SIZES, mm_projector_type="mlp2x_gelu")
    model = random_network(0, sizes)
    save_tiny(tmp_path / "saved", model, torch.float32)
    stored = load_file(tmp_path / "saved" / WEIGHTS)
    width, clip = sizes.hidden_size, sizes.mm_hidden_size
    shapes = {k: list(t.shape) for k, t in stored.items() if k.startswith("model.mm_projector.")}
    assert shapes == {
        "model.mm_projector.0.weight": [width, clip],
        "model.mm_projector.0.bias": [width],
        "model.mm_projector.2.weight": [width, width],
        "model.mm_projector.2.bias": [width],
    }
    loaded = load_checkpoint(tmp_path / "saved")
    pixels = torch.randn(1, 3, 28, 28)
    assert torch.equal(loaded.model.encode_clip(pixels), model.encode_clip(pixels))


def test_loaded_model_computes_what_the_saved_one_did(
    tiny_checkpoint: Path, tiny_model: LisaForCausalLM
) -> None:
    """Also what no file holds is there: rotary frequencies, CLIP's position ids."""
    loaded = load_checkpoint(tiny_checkpoint).model
    tensors = [*loaded.parameters(), *loaded.buffers()]
    assert not any(t.is_meta for t in tensors)
    ids = torch.tensor([[1, -200, 5, 6, 7]])
    pixels = torch.linspace(-1, 1, 3 * 28 * 28).reshape(1, 3, 28, 28)
    with torch.no_grad():
        results = [
            m.hidden_states(m.embed(ids, m.encode_clip(pixels)))[0] for m in (loaded, tiny_model)
        ]
    assert torch.equal(*results)


def test_a_release_survives_saving(tmp_path: Path) -> None:
    """What upstream wrote (shards of .bin, inv_freq, a whole CLIP) loads, saves and loads equal."""
    released = load_checkpoint(GOLDEN / "ckpt_b", dtype=torch.bfloat16)
    checkpoint_module.save_checkpoint(
        tmp_path / "saved",
        released.model,
        tokenizer_folder=released.path,
        clip_processor=released.clip_processor,
        settings=released.settings,
    )
    again = load_checkpoint(tmp_path / "saved", dtype=torch.bfloat16)
    assert_equal_weights(again.model, weights_of(released.model))
    assert again.config == released.config
    assert again.clip_processor == released.clip_processor
    assert again.tokenizer.encode("Sure, [SEG].") == released.tokenizer.encode("Sure, [SEG].")


@pytest.mark.parametrize("layout", ["one bin", "bin shards", "old bin", "safetensors shards"])
def test_every_layout_of_files(
    tiny_checkpoint: Path, tiny_model: LisaForCausalLM, layout: str
) -> None:
    weights = load_file(tiny_checkpoint / WEIGHTS)
    if layout == "bin shards":
        split_into_bins(tiny_checkpoint, 3)
    elif layout == "safetensors shards":
        (tiny_checkpoint / WEIGHTS).unlink()
        halves = {"one.safetensors": sorted(weights)[::2], "two.safetensors": sorted(weights)[1::2]}
        for name, keys in halves.items():
            save_file({k: weights[k] for k in keys}, tiny_checkpoint / name)
        index = {"weight_map": {k: name for name, keys in halves.items() for k in keys}}
        (tiny_checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))
    else:
        (tiny_checkpoint / WEIGHTS).unlink()
        zipped = layout == "one bin"
        path = tiny_checkpoint / "pytorch_model.bin"
        torch.save(weights, path, _use_new_zipfile_serialization=zipped)
    assert_equal_weights(load_checkpoint(tiny_checkpoint).model, weights_of(tiny_model))


def test_loaded_weights_do_not_depend_on_the_file(tiny_checkpoint: Path) -> None:
    """The file may be overwritten in place while the model is in use."""
    split_into_bins(tiny_checkpoint, 1)
    model = load_checkpoint(tiny_checkpoint).model
    before = {k: t.clone() for k, t in weights_of(model).items()}
    for path in tiny_checkpoint.glob("*.bin"):
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
    assert_equal_weights(model, before)


def test_inv_freq_is_the_one_extra_key(tiny_checkpoint: Path) -> None:
    extra = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}
    change_weights(tiny_checkpoint, **extra)
    load_checkpoint(tiny_checkpoint)
    change_weights(tiny_checkpoint, **{"model.layers.0.self_attn.inv_freq": torch.ones(4)})
    with pytest.raises(CheckpointMismatchError, match=r"unexpected .*self_attn\.inv_freq"):
        load_checkpoint(tiny_checkpoint)


def test_the_vision_tower_is_found_by_the_last_part_of_its_name(tiny_checkpoint: Path) -> None:
    """A checkpoint that names a hub id, or a path of another machine, can carry its tower along."""
    path = tiny_checkpoint / "config.json"
    for name in ("openai/clip-vit-tiny", "/elsewhere/clip-vit-tiny"):
        tower = {"vision_tower": name, "mm_vision_tower": name}
        path.write_text(json.dumps({**json.loads(path.read_text()), **tower}))
        load_checkpoint(tiny_checkpoint)


def test_a_hub_id_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path, tiny_model: LisaForCausalLM
) -> None:
    """Safetensors are asked for first; `.bin` files only when there are none."""
    split_into_bins(tiny_checkpoint, 2)
    asked = []

    def snapshot(hub_id: str, allow_patterns: list[str]) -> str:
        asked.append((hub_id, allow_patterns[-1]))
        return str(tiny_checkpoint)

    monkeypatch.setattr(locations, "snapshot_download", snapshot)
    loaded = load_checkpoint("somebody/lisa")
    assert asked == [("somebody/lisa", "*.safetensors"), ("somebody/lisa", "*.bin")]
    assert loaded.name == "somebody/lisa"  # not the hash that a snapshot's folder is called
    assert_equal_weights(loaded.model, weights_of(tiny_model))


def test_a_checkpoint_is_called_as_it_was_asked_for(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_checkpoint)
    monkeypatch.setitem(locations.ALIASES, "lisa-tiny", tiny_checkpoint)
    named = {".": "checkpoint", str(tiny_checkpoint): "checkpoint", "lisa-tiny": "lisa-tiny"}
    for model, name in {**named, "clip-vit-tiny/..": "checkpoint"}.items():
        assert load_checkpoint(model).name == name


def test_saving_replaces_the_old_checkpoint(tiny_checkpoint: Path) -> None:
    other = random_network(seed=9)
    (tiny_checkpoint / "left-over").write_text("of an older version")
    save_tiny(tiny_checkpoint, other)
    assert_equal_weights(load_checkpoint(tiny_checkpoint).model, weights_of(other))
    assert not (tiny_checkpoint / "left-over").exists()
    assert [p.name for p in tiny_checkpoint.parent.iterdir()] == [tiny_checkpoint.name]


def test_a_failed_save_leaves_the_old_checkpoint(
    tiny_checkpoint: Path, tiny_model: LisaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*args: object, **kwargs: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint_module, "save_file", full_disk)
    with pytest.raises(OSError, match="no space left"):
        save_tiny(tiny_checkpoint, random_network(seed=9))
    assert_equal_weights(load_checkpoint(tiny_checkpoint).model, weights_of(tiny_model))
    assert [p.name for p in tiny_checkpoint.parent.iterdir()] == [tiny_checkpoint.name]
