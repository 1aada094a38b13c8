"""A LISA from nothing: its sizes, as a configuration has them, and the random model of them."""

from __future__ import annotations

from dataclasses import dataclass

from lisa_ros.model.clip import ClipConfig
from lisa_ros.model.config import LisaConfig
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.sam_config import SamConfig


@dataclass(frozen=True)
class LlmSizes:
    """The language model."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int


@dataclass(frozen=True)
class ClipSizes:
    """The vision tower. All its layers are used; released LISAs read the last but one."""

    image_size: int
    patch_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int


@dataclass(frozen=True)
class SamSizes:
    """SAM's encoder and decoder."""

    image_size: int
    patch_size: int
    embed_dim: int
    depth: int
    num_heads: int
    mlp_dim: int
    window_size: int
    global_attn_indexes: tuple[int, ...]
    prompt_embed_dim: int
    decoder_mlp_dim: int


@dataclass(frozen=True)
class Sizes:
    """Every size of a LISA that is not inherited from released weights."""

    llm: LlmSizes
    clip: ClipSizes
    sam: SamSizes


def random_lisa(sizes: Sizes, vocab_size: int, tower_folder: str, seed: int) -> LisaForCausalLM:
    """Build the model with random weights from `seed`, float32, on the CPU.

    tower_folder: name of the folder in which its checkpoint will keep the vision tower.
    """
    return LisaForCausalLM.from_sizes(*configs_of(sizes, vocab_size, tower_folder), seed)


def configs_of(
    sizes: Sizes, vocab_size: int, tower_folder: str
) -> tuple[LisaConfig, SamConfig, ClipConfig]:
    """What the three networks are built from; see `random_lisa`."""
    llm, clip, sam = sizes.llm, sizes.clip, sizes.sam
    language = LisaConfig(
        vocab_size=vocab_size,
        hidden_size=llm.hidden_size,
        intermediate_size=llm.intermediate_size,
        num_hidden_layers=llm.num_hidden_layers,
        num_attention_heads=llm.num_attention_heads,
        max_position_embeddings=llm.max_position_embeddings,
        rms_norm_eps=1e-6,
        out_dim=sam.prompt_embed_dim,
        mm_hidden_size=clip.hidden_size,
        vision_tower=tower_folder,
        mm_vision_select_layer=-1,
    )
    sam_config = SamConfig(
        image_size=sam.image_size,
        patch_size=sam.patch_size,
        encoder_embed_dim=sam.embed_dim,
        encoder_depth=sam.depth,
        encoder_num_heads=sam.num_heads,
        encoder_mlp_dim=sam.mlp_dim,
        encoder_global_attn_indexes=sam.global_attn_indexes,
        window_size=sam.window_size,
        prompt_embed_dim=sam.prompt_embed_dim,
        decoder_mlp_dim=sam.decoder_mlp_dim,
        iou_head_hidden_dim=sam.prompt_embed_dim,
    )
    clip_config = ClipConfig(
        image_size=clip.image_size,
        patch_size=clip.patch_size,
        hidden_size=clip.hidden_size,
        intermediate_size=clip.intermediate_size,
        num_hidden_layers=clip.num_hidden_layers,
        num_attention_heads=clip.num_attention_heads,
        projection_dim=clip.hidden_size,
    )
    return language, sam_config, clip_config
