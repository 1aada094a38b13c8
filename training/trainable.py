"""What of a LISA learns: LoRA on a large language model as in the paper, or all of a small one.

Frozen always: CLIP, SAM's image and prompt encoders. Learning always: the token embeddings and the
output head (both have rows of new tokens), the `[SEG]` projection, the mask decoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import nn

from lisa_ros.model.lisa import LisaForCausalLM

# The language model's alone: the bare names would also hit CLIP's and SAM's projections.
LORA_TARGETS = r"model\.layers\.\d+\.self_attn\.(q_proj|v_proj)"


@dataclass(frozen=True)
class LoraSettings:
    """Low-rank adapters on the language model's q_proj and v_proj (Hu et al., 2021)."""

    rank: int = 8
    alpha: int = 16
    dropout: float = 0.05


def choose_trainable(model: LisaForCausalLM, lora: LoraSettings | None) -> None:
    """Freeze and thaw parameters in place; with `lora`, wrap the language model's projections.

    Without it the whole language model and its connection to CLIP learn too, which is for a model
    that starts from nothing.
    """
    model.requires_grad_(False)
    llm = model.model
    learning: list[nn.Module] = [llm.embed_tokens, model.lm_head, llm.text_hidden_fcs]
    learning.append(model.sam.mask_decoder)
    if lora is None:
        learning += [llm.layers, llm.norm, llm.mm_projector]
    else:
        _add_lora(model, lora)
    for module in learning:
        module.requires_grad_(True)


def merge_lora(model: LisaForCausalLM) -> None:
    """Add the adapters to the weights that they adapt, and remove them, in place."""
    for name, layer in list(_lora_layers(model)):
        layer.merge(safe_merge=True)
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, layer.get_base_layer())


def _add_lora(model: LisaForCausalLM, settings: LoraSettings) -> None:
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=LORA_TARGETS,
    )
    inject_adapter_in_model(config, model)


def _lora_layers(model: nn.Module) -> Iterator[tuple[str, LoraLayer]]:
    for name, module in model.named_modules():
        if isinstance(module, LoraLayer):
            yield name, module
