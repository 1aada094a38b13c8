"""LISA's language model: a Llama with the modules that LISA hangs beside its layers."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import LlamaConfig, LlamaModel

from lisa_ros.model.config import LisaConfig
from lisa_ros.model.json_files import buildable
from lisa_ros.model.sam import Sam
from lisa_ros.model.sam_config import SamConfig


class LisaModel(LlamaModel):  # type: ignore[no-untyped-call]
    """A Llama with LISA's modules beside its layers, where released checkpoints have them."""

    def __init__(self, config: LisaConfig, sam: SamConfig) -> None:
        with buildable("config.json"):
            super().__init__(_llama_config(config))
        self.mm_projector = _projector(config)
        self.visual_model = Sam(sam)
        hidden = config.hidden_size
        projection = nn.Sequential(
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, config.out_dim), nn.Dropout(0.0)
        )
        self.text_hidden_fcs = nn.ModuleList([projection])


def _projector(config: LisaConfig) -> nn.Module:
    """From CLIP's features to the language model, as LLaVA-1 or LLaVA-1.5 has it."""
    first = nn.Linear(config.mm_hidden_size, config.hidden_size)
    if config.mm_projector_type == "linear":
        return first
    return nn.Sequential(first, nn.GELU(), nn.Linear(config.hidden_size, config.hidden_size))


def _llama_config(config: LisaConfig) -> LlamaConfig:
    sizes: dict[str, Any] = {
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_key_value_heads,
        "hidden_act": config.hidden_act,
        "max_position_embeddings": config.max_position_embeddings,
        "initializer_range": config.initializer_range,
        "rms_norm_eps": config.rms_norm_eps,
        "bos_token_id": config.bos_token_id,
        "eos_token_id": config.eos_token_id,
        "pad_token_id": config.pad_token_id,
        "rope_theta": config.rope_theta,
        "attn_implementation": "sdpa",
    }
    if config.rope_scaling is not None:
        sizes["rope_scaling"] = dict(config.rope_scaling)
    return LlamaConfig(**sizes)
