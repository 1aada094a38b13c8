"""The smallest LISA that has every part, for tests: sizes, a builder, and a checkpoint of it."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from lisa_ros.model.checkpoint import save_checkpoint
from lisa_ros.model.clip import ClipConfig
from lisa_ros.model.config import LisaConfig
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.preprocess import ClipProcessor
from lisa_ros.model.sam_config import SamConfig
from lisa_ros.model.settings import LisaSettings

GOLDEN = Path(__file__).parents[1] / "golden" / "data"
TOKENIZER_FOLDER = GOLDEN / "ckpt_a"
VOCABULARY = 707
WEIGHTS = "model.safetensors"

LISA_SIZES = LisaConfig(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=128,
    rms_norm_eps=1e-6,
    out_dim=32,
    mm_hidden_size=24,
    vision_tower="clip-vit-tiny",
)
SAM_SIZES = SamConfig(
    image_size=64,
    patch_size=8,
    encoder_embed_dim=24,
    encoder_depth=3,
    encoder_num_heads=2,
    encoder_mlp_dim=40,
    encoder_global_attn_indexes=(1,),
    window_size=3,
    prompt_embed_dim=32,
    mask_in_chans=8,
    decoder_mlp_dim=48,
    iou_head_hidden_dim=16,
)
CLIP_SIZES = ClipConfig(
    hidden_size=24,
    intermediate_size=32,
    num_hidden_layers=3,
    num_attention_heads=2,
    image_size=28,
    patch_size=14,
)


def build_tiny(seed: int = 0) -> LisaForCausalLM:
    return LisaForCausalLM.from_sizes(LISA_SIZES, SAM_SIZES, CLIP_SIZES, seed=seed).eval()


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
