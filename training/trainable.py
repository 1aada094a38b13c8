"""What of a LISA learns: LoRA on a large language model as in the paper, or all of a small one.

Frozen always: CLIP, SAM's image and prompt encoders. Learning always: rows of new tokens in the
token embeddings and the output head (all rows, in the paper), the `[SEG]` projection, the mask
decoder.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from lisa_ros.model.lisa import LisaForCausalLM
from training.config import expect

# The language model's alone: the bare names would also hit CLIP's and SAM's projections.
LORA_TARGETS = r"model\.layers\.\d+\.self_attn\.(q_proj|v_proj)"


@dataclass(frozen=True)
class LoraSettings:
    """Low-rank adapters on the language model's q_proj and v_proj (Hu et al., 2021).

    token_rows: which rows of embeddings and output head learn, all as in the paper, or only those
    of LISA's own tokens, which need next to no optimizer state. quantise: keep the frozen weights
    of the language model's layers in 4 bits (Dettmers et al., QLoRA, 2023).
    """

    rank: int = 8
    alpha: int = 16
    dropout: float = 0.05
    token_rows: Literal["all", "new"] = "all"
    quantise: Literal["nf4"] | None = None

    def __post_init__(self) -> None:
        """Refuse adapters that could not be built."""
        expect(self.rank >= 1, "lora.rank", self.rank, "1 or more; `lora: null` is without")
        expect(0 <= self.dropout < 1, "lora.dropout", self.dropout, "a share from 0 to below 1")


def choose_trainable(
    model: LisaForCausalLM, lora: LoraSettings | None, new_tokens: Sequence[int] = ()
) -> None:
    """Freeze and thaw parameters in place; with `lora`, wrap the language model's projections.

    Without it the whole language model and its connection to CLIP learn too, which is for a model
    that starts from nothing. new_tokens: ids of LISA's own tokens, for `token_rows: new`.
    """
    model.requires_grad_(False)
    llm = model.model
    learning: list[nn.Module] = [llm.text_hidden_fcs, model.sam.mask_decoder]
    if lora is None:
        learning += [llm.layers, llm.norm, llm.mm_projector]
    else:
        _add_adapters(model, lora, new_tokens)
    if lora is None or lora.token_rows == "all":
        learning += [llm.embed_tokens, model.lm_head]
    for module in learning:
        module.requires_grad_(True)


def merge_lora(model: LisaForCausalLM) -> None:
    """Add the adapters to the weights that they adapt, and remove them, in place."""
    with _without_kernel_advice():
        from peft.tuners.lora import LoraLayer
        from peft.utils.other import TrainableTokensWrapper

    for name, module in list(model.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge(safe_merge=True)
            plain = module.get_base_layer()
        elif isinstance(module, TrainableTokensWrapper):
            plain = module.unload_and_optionally_merge_module(True, True, None)
        else:
            continue
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, plain)


def _add_adapters(
    model: LisaForCausalLM, settings: LoraSettings, new_tokens: Sequence[int]
) -> None:
    with _without_kernel_advice():
        from peft import LoraConfig, inject_adapter_in_model

    rows = None
    if settings.token_rows == "new":
        rows = {"embed_tokens": list(new_tokens), "lm_head": list(new_tokens)}
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=LORA_TARGETS,
        trainable_token_indices=rows,
    )
    inject_adapter_in_model(config, model)


@contextlib.contextmanager
def _without_kernel_advice() -> Iterator[None]:
    """For importing peft, which takes seconds and imports bitsandbytes wherever it is installed.

    On some CPUs that then warns of a faster kernel for 4-bit layers, which it did not find. Who has
    such layers hears of it, since `quantise` imports bitsandbytes first.
    """
    log = logging.getLogger("bitsandbytes.backends.cpu.ops")
    log.addFilter(_is_no_kernel_advice)
    try:
        yield
    finally:
        log.removeFilter(_is_no_kernel_advice)


def _is_no_kernel_advice(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Failed to load CPU gemm_4bit_forward")
