"""Load the backend that answers, and give its memory back.

torch is imported here and late: it takes seconds, and the node has things to say meanwhile.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from lisa_ros.nodes.parameters import PerceptionParameters

if TYPE_CHECKING:
    from lisa_ros.inference.segmenter import Segmenter

LoadSegmenter = Callable[[PerceptionParameters], "Segmenter"]


def load_segmenter(parameters: PerceptionParameters) -> Segmenter:
    """Load the checkpoint that the parameters name.

    Raises CheckpointError and its kinds, DeviceError and ConfigurationError.
    """
    from lisa_ros.inference.engine import LisaEngine

    threshold = parameters.found_threshold
    return LisaEngine.from_pretrained(
        parameters.model,
        device=parameters.device,
        dtype=parameters.dtype,
        view=parameters.view or None,
        conversation=parameters.conversation or None,
        prompt_template=parameters.prompt_template or None,
        found_threshold="auto" if threshold is None else threshold,
    )


def release_device_memory() -> None:
    """Give back what a freed model held on the device, if torch was ever loaded."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
