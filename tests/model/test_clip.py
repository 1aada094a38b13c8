"""The vision tower: which states it gives, and which files it accepts."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from random_lisa import CLIP_SIZES
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

from lisa_ros.errors import (
    CheckpointCorruptError,
    CheckpointMismatchError,
    CheckpointNotFoundError,
    ModelError,
)
from lisa_ros.model.clip import ClipConfig, ClipVisionTower, plain_name
from lisa_ros.model.preprocess import ClipProcessor
from lisa_ros.model.vision_files import (
    load_vision_tower,
    preprocessor_json,
    read_clip_config,
    tower_weights,
)

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tower() -> ClipVisionTower:
    torch.manual_seed(5)
    return ClipVisionTower(CLIP_SIZES).eval().requires_grad_(False)


@pytest.mark.parametrize(("size", "tokens"), [(224, 256), (336, 576)])
def test_number_of_image_tokens_follows_from_the_size(size: int, tokens: int) -> None:
    config = dataclasses.replace(CLIP_SIZES, image_size=size)
    with torch.device("meta"):
        tower = ClipVisionTower(config)
        features = tower(torch.zeros(1, 3, size, size))
    assert tower.num_image_tokens == tokens
    assert features.shape == (1, tokens, CLIP_SIZES.hidden_size)


def test_features_are_a_layers_states_without_the_class_token(tower: ClipVisionTower) -> None:
    pixels = torch.randn(2, 3, 28, 28)
    states = tower.clip(pixels, output_hidden_states=True).hidden_states
    assert torch.equal(tower(pixels), states[-2][:, 1:])
    last = ClipVisionTower(CLIP_SIZES, select_layer=-1, select_feature="cls_patch").eval()
    last.clip.load_state_dict(tower.clip.state_dict())
    assert torch.equal(last(pixels), states[-1])
    assert last.num_image_tokens == 5


def test_the_last_layer_is_not_used(tower: ClipVisionTower) -> None:
    pixels = torch.randn(1, 3, 28, 28)
    changed = ClipVisionTower(CLIP_SIZES).eval()
    changed.clip.load_state_dict(tower.clip.state_dict())
    with torch.no_grad():
        for parameter in changed.clip.get_submodule(layers_of(changed))[2].parameters():
            parameter.fill_(0.3)
    assert torch.equal(changed(pixels), tower(pixels))


def layers_of(tower: ClipVisionTower) -> str:
    names = [name for name, _ in tower.clip.named_modules() if name.endswith("encoder.layers")]
    return names[0]


def test_a_layer_that_does_not_exist(tower: ClipVisionTower) -> None:
    with pytest.raises(CheckpointMismatchError, match="has 3 layers"):
        ClipVisionTower(CLIP_SIZES, select_layer=4)


def test_a_wrong_input_size_is_named(tower: ClipVisionTower) -> None:
    with pytest.raises(ModelError, match=r"\[B,3,28,28\], got \[1, 3, 28, 30\]"):
        tower(torch.zeros(1, 3, 28, 30))


def test_config_of_a_whole_clip_and_of_a_vision_model() -> None:
    alone = CLIP_SIZES.to_json()
    whole = {"model_type": "clip", "vision_config": {**alone, "unknown": 1}, "text_config": {}}
    assert ClipConfig.from_json(alone) == ClipConfig.from_json(whole) == CLIP_SIZES
    with pytest.raises(CheckpointMismatchError, match="'siglip'"):
        ClipConfig.from_json({"model_type": "siglip"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_size", "768"),
        ("hidden_size", 0),
        ("hidden_size", 25),
        ("num_attention_heads", 0),
        ("patch_size", -14),
        ("image_size", [28, 28]),
        ("image_size", 28.0),
        ("hidden_act", 3),
        ("layer_norm_eps", "1e-5"),
        ("num_hidden_layers", True),
    ],
)
def test_a_wrong_field_of_the_config_is_named(name: str, value: object) -> None:
    with pytest.raises(CheckpointMismatchError, match=name):
        ClipConfig.from_json({**CLIP_SIZES.to_json(), name: value})


@pytest.mark.parametrize("whole_clip", [True, False])
@pytest.mark.parametrize("prefix", ["vision_model.", ""])
@pytest.mark.parametrize("suffix", ["bin", "safetensors"])
def test_every_kind_of_file_loads(
    tower: ClipVisionTower, tmp_path: Path, whole_clip: bool, prefix: str, suffix: str
) -> None:
    """A whole CLIP or the vision model, named as transformers 4 or 5 do, in either format."""
    weights = {prefix + plain_name(k): t for k, t in tower.clip.state_dict().items()}
    if whole_clip:
        weights |= text_side()
    if suffix == "bin":
        torch.save(weights, tmp_path / "pytorch_model.bin")
    else:
        save_file(weights, tmp_path / "model.safetensors")
    loaded = load(tmp_path)
    assert_same_weights(loaded, tower)


def text_side() -> dict[str, torch.Tensor]:
    config = CLIPConfig(
        text_config={"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2},
        vision_config=dataclasses.asdict(CLIP_SIZES),
        projection_dim=4,
    )
    with torch.device("meta"):
        names = CLIPModel(config).state_dict()
    text = {k: torch.zeros(1) for k in names if not k.startswith("vision_model.")}
    old = {"vision_model.embeddings.position_ids": torch.arange(5)[None]}
    return {**text, **old}


def load(folder: Path) -> ClipVisionTower:
    with torch.device("meta"):
        tower = ClipVisionTower(CLIP_SIZES)
    load_vision_tower(tower, folder, CPU, torch.float32)
    return tower.eval()


def assert_same_weights(one: ClipVisionTower, other: ClipVisionTower) -> None:
    assert one.clip.state_dict().keys() == other.clip.state_dict().keys()
    for key, tensor in one.clip.state_dict().items():
        assert torch.equal(tensor, other.clip.state_dict()[key]), key
    pixels = torch.ones(1, 3, 28, 28)
    with torch.no_grad():
        assert torch.equal(one(pixels), other(pixels))


def test_exported_names_are_those_of_published_files(tower: ClipVisionTower) -> None:
    assert "vision_model.embeddings.class_embedding" in tower_weights(tower)
    assert "vision_model.encoder.layers.0.self_attn.k_proj.weight" in tower_weights(tower)


def test_another_clip_is_refused_by_key(tower: ClipVisionTower, tmp_path: Path) -> None:
    weights = tower_weights(tower)
    key = "vision_model.embeddings.position_embedding.weight"
    save_file({**weights, key: torch.zeros(6, 24)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointMismatchError, match=r"position_embedding.weight is \[6, 24\]"):
        load(tmp_path)
    del weights[key]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointMismatchError, match=r"missing embeddings.position_embedding"):
        load(tmp_path)


def test_damaged_and_missing_files_are_named(tower: ClipVisionTower, tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotFoundError, match=str(tmp_path)):
        load(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(CheckpointCorruptError, match=r"pytorch_model\.bin"):
        load(tmp_path)


def test_preprocessing_must_fit_the_tower(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CLIP_SIZES.to_json()))
    preprocessing = tmp_path / "preprocessor_config.json"
    preprocessing.write_text(json.dumps(preprocessor_json(ClipProcessor(28))))
    assert read_clip_config(tmp_path) == (CLIP_SIZES, ClipProcessor(28))
    preprocessing.write_text(json.dumps(preprocessor_json(ClipProcessor(224))))
    with pytest.raises(CheckpointMismatchError, match="crops to 224 px"):
        read_clip_config(tmp_path)
