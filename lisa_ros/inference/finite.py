"""Refusing results that are no numbers, before they look like an answer."""

from __future__ import annotations

import torch
from torch import Tensor

from lisa_ros.errors import ModelError


def check_finite(values: Tensor, what: str) -> None:
    """Raise ModelError unless every value is finite. what: names the values, as a subject."""
    if not bool(torch.isfinite(values).all()):
        raise ModelError(
            f"{what} came out as NaN or infinite, in {str(values.dtype).removeprefix('torch.')} "
            f"on {values.device}. Either the dtype overflowed (float16 reaches no further than "
            '65504) or the weights are damaged. Load the model with dtype "float32"; if it happens '
            "there too, get the checkpoint again."
        )
