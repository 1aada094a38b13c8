"""The smallest LISA that has every part, with random weights: quick enough for property tests."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch

from lisa_ros.model.checkpoint import LoadedLisa, save_checkpoint
from lisa_ros.model.clip import ClipConfig
from lisa_ros.model.config import LisaConfig
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.preprocess import ClipProcessor
from lisa_ros.model.sam_config import SamConfig
from lisa_ros.model.settings import LisaSettings
from lisa_ros.model.tokenizer import LisaTokenizer

GOLDEN = Path(__file__).parent / "golden" / "data"
TOKENIZER_FOLDER = GOLDEN / "ckpt_a"
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
LISA_SIZES = LisaConfig(
    vocab_size=707,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=2048,
    rms_norm_eps=1e-6,
    out_dim=SAM_SIZES.prompt_embed_dim,
    mm_hidden_size=CLIP_SIZES.hidden_size,
    vision_tower="clip-vit-tiny",
)


def random_network(seed: int = 0, sizes: LisaConfig = LISA_SIZES) -> LisaForCausalLM:
    """Return a network as it is initialised for training: all its answers are nearly alike."""
    return LisaForCausalLM.from_sizes(sizes, SAM_SIZES, CLIP_SIZES, seed=seed).eval()


def random_lisa(
    seed: int = 2, max_position_embeddings: int = 2048, **settings: object
) -> LoadedLisa:
    """Return a random LISA. Its greedy answers hold a `[SEG]` now and then and seldom end."""
    tokenizer = LisaTokenizer.from_pretrained(TOKENIZER_FOLDER)
    sizes = dataclasses.replace(LISA_SIZES, max_position_embeddings=max_position_embeddings)
    model = random_network(seed, sizes)
    generator = torch.Generator().manual_seed(seed)
    # As initialised for training, everything is so small that attention is uniform and all logits
    # are nearly equal; then a wrong cache or position would not show.
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2 and "visual_model" not in name:
                weight.normal_(std=0.3, generator=generator)
        model.lm_head.weight[tokenizer.seg_id] *= 3.5
    return LoadedLisa(
        model=model,
        tokenizer=tokenizer,
        config=sizes,
        settings=LisaSettings(**settings),
        clip_processor=ClipProcessor(size=CLIP_SIZES.image_size),
        path=Path("nowhere"),
        name="random",
    )


def write_random_lisa(folder: Path, seed: int = 2) -> LoadedLisa:
    """Write `random_lisa(seed)` as a checkpoint directory, float32, and return it."""
    loaded = random_lisa(seed)
    save_checkpoint(
        folder,
        loaded.model,
        tokenizer_folder=TOKENIZER_FOLDER,
        clip_processor=loaded.clip_processor,
        settings=loaded.settings,
        dtype=torch.float32,
    )
    return loaded


def noise_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return a smooth random image u8[height,width,3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 4 + 2, width // 4 + 2, 3))
    fine = coarse.repeat(4, axis=0).repeat(4, axis=1)
    return fine[:height, :width].astype(np.uint8)
