"""A language model in 4 bits, so that 7 billion parameters fit beside SAM on a small GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lisa_ros.errors import ConfigurationError, DeviceError
from lisa_ros.model.checkpoint import LoadedLisa, load_checkpoint
from lisa_ros.model.lisa import LisaForCausalLM

Loader = Callable[[str | Path, str | torch.device, torch.dtype], LoadedLisa]


def load_in_4_bits(model: str | Path, device: str | torch.device, dtype: torch.dtype) -> LoadedLisa:
    """Load a LISA checkpoint as `load_checkpoint` does, its language model's layers in 4 bits.

    Its weights are read into RAM, whole and in `dtype`, before they go to the device.

    Raises:
        ConfigurationError: bitsandbytes is not installed.
        CheckpointError, TokenizerError, DeviceError: see `load_checkpoint`.

    """
    loaded = load_checkpoint(model, "cpu", dtype)
    quantise_layers(loaded.model, dtype)
    try:
        loaded.model.to(device)
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceError(
            f"{loaded.path} does not fit into the memory of {device}, even in 4 bits; free the "
            f"device or choose another one ({error})"
        ) from error
    return loaded


LOADERS: dict[str, Loader] = {"none": load_checkpoint, "nf4": load_in_4_bits}


def loader_named(name: str) -> Loader:
    """How to load a checkpoint: "none", whole, or "nf4". Raises ConfigurationError."""
    if name not in LOADERS:
        raise ConfigurationError(f"Unknown quantization {name!r}; use {' or '.join(LOADERS)}.")
    return LOADERS[name]


def quantise_layers(model: LisaForCausalLM, dtype: torch.dtype) -> None:
    """Replace the linear maps of the language model's layers by 4-bit ones (NF4), in place.

    They take the weights over as they were loaded, become 4-bit when the model is moved to its
    device, and compute in `dtype`. Embeddings, output head, both vision towers and LISA's own parts
    stay as they are (Dettmers et al., QLoRA, 2023). A training run's export does not pass through
    here: adapters are added to the weights that it started from, whole.

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
            "Weights in 4 bits (nf4) need bitsandbytes: pip install bitsandbytes, or load them "
            "whole."
        ) from error
    return bitsandbytes
