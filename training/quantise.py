"""Frozen weights in 4 bits, so that a 7B language model fits beside SAM on a small GPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.lisa import LisaForCausalLM


def quantise_layers(model: LisaForCausalLM, dtype: torch.dtype) -> None:
    """Replace the linear maps of the language model's layers by 4-bit ones (NF4), in place.

    They take the weights over as they were loaded, become 4-bit when the model is moved to its
    device, and compute in `dtype`. Embeddings, output head, both vision towers and LISA's own parts
    stay as they are. Export does not pass through here: adapters are added to the weights that the
    run started from, whole.

    Raises:
        ConfigurationError: bitsandbytes is not installed.

    """
    bitsandbytes = _bitsandbytes()
    layers = model.model.layers
    for name, module in list(layers.named_modules()):
        if not isinstance(module, nn.Linear):
            continue
        replacement = bitsandbytes.nn.Linear4bit(
            module.in_features,
            module.out_features,
            bias=module.bias is not None,
            compute_dtype=dtype,
            device="meta",
        )
        replacement.weight = bitsandbytes.nn.Params4bit(
            module.weight.detach(), quant_type="nf4", module=replacement
        )
        replacement.bias = module.bias
        # On some CPUs it would repack its weights at the first evaluation, which cannot be trained
        # through afterwards.
        replacement.support_avx512bf16_for_cpu = False
        parent, _, child = name.rpartition(".")
        setattr(layers.get_submodule(parent), child, replacement.requires_grad_(False))


def _bitsandbytes() -> Any:
    try:
        import bitsandbytes
    except ImportError as error:
        raise ConfigurationError(
            "`quantise: nf4` needs bitsandbytes: pip install bitsandbytes, or leave it out."
        ) from error
    return bitsandbytes
