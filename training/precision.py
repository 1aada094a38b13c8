"""The number formats that a configuration can name."""

from __future__ import annotations

import torch

from lisa_ros.errors import ConfigurationError

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def precision_named(name: str) -> torch.dtype:
    """The dtype that the forward pass computes in; ConfigurationError for another name."""
    if name not in _DTYPES:
        raise ConfigurationError(f"precision is {name!r}; choose one of {', '.join(_DTYPES)}.")
    return _DTYPES[name]


def autocast(dtype: torch.dtype, device: str = "cpu") -> torch.autocast:
    """Compute in `dtype`, with weights kept in float32; nothing changes for float32."""
    return torch.autocast(device, dtype, enabled=dtype != torch.float32)
