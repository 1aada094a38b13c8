"""The smallest LISA that has every part, for tests: sizes, a builder, and a checkpoint of it."""

from __future__ import annotations

from pathlib import Path

import torch

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
