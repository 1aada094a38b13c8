"""Writing a checkpoint of a tiny random LISA, changing its files, comparing its weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from random_lisa import CLIP_SIZES, TOKENIZER_FOLDER
from safetensors.torch import load_file, save_file

from lisa_ros.model.checkpoint import save_checkpoint
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.preprocess import ClipProcessor
from lisa_ros.model.settings import LisaSettings

WEIGHTS = "model.safetensors"


def save_tiny(
    folder: Path, model: LisaForCausalLM, dtype: torch.dtype = torch.float32
) -> LisaSettings:
    settings = LisaSettings(found_threshold=0.4, demo_model=True, provenance={"seed": 0})
    save_checkpoint(
        folder,
        model,
        tokenizer_folder=TOKENIZER_FOLDER,
        clip_processor=ClipProcessor(CLIP_SIZES.image_size),
        settings=settings,
        dtype=dtype,
    )
    return settings


def weights_of(model: LisaForCausalLM) -> dict[str, torch.Tensor]:
    tower = {f"tower.{k}": t for k, t in model.vision_tower.clip.state_dict().items()}
    return {**model.state_dict(), **tower}


def assert_equal_weights(got: LisaForCausalLM, expected: dict[str, torch.Tensor]) -> None:
    found = weights_of(got)
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        assert found[key].dtype == tensor.dtype, key
        assert torch.equal(found[key], tensor), key


def change_weights(folder: Path, **changes: torch.Tensor | None) -> None:
    """Replace, add or (None) remove tensors of the one safetensors file."""
    weights = {**load_file(folder / WEIGHTS), **changes}
    save_file({k: t for k, t in weights.items() if t is not None}, folder / WEIGHTS)


def split_into_bins(folder: Path, n_shards: int) -> None:
    """Turn the safetensors file into `.bin` shards with an index, as releases have them."""
    weights = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    weight_map = {}
    for shard in range(n_shards):
        name = f"pytorch_model-{shard + 1:05}-of-{n_shards:05}.bin"
        keys = sorted(weights)[shard::n_shards]
        torch.save({key: weights[key] for key in keys}, folder / name)
        weight_map |= dict.fromkeys(keys, name)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
