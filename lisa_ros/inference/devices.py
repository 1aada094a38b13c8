"""Device and dtype by name."""

from __future__ import annotations

import torch

from lisa_ros.errors import DeviceError

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def device_named(name: str) -> torch.device:
    """Return the device; "auto" is a GPU where there is one. Raises DeviceError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"Unknown device {name!r}; use cpu, cuda, cuda:0... or auto.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            f"The device {name!r} was asked for, but torch {torch.__version__} sees no NVIDIA GPU. "
            'Use "cpu" or "auto", or install a torch with CUDA and the driver.'
        )
    return device


def dtype_named(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype; "auto" is bfloat16 on a GPU and float32 on a CPU. Raises DeviceError."""
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if name not in _DTYPES:
        raise DeviceError(f"Unknown dtype {name!r}; use {', '.join(_DTYPES)} or auto.")
    if name == "float16" and device.type == "cpu":
        raise DeviceError("float16 is for GPUs; use float32 or bfloat16 on a CPU.")
    return _DTYPES[name]
