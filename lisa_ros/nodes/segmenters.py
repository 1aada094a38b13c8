"""Load the backend that answers, and give its memory back.

torch is imported here and late: it takes seconds, and the node has things to say meanwhile.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lisa_ros.nodes.parameters import PerceptionParameters

if TYPE_CHECKING:
    from lisa_ros.inference.segmenter import Segmenter

# Makes a segmenter of weights that are loaded, as the parameters say; cheap.
SetUp = Callable[[PerceptionParameters], "Segmenter"]
# Told in words what is being done.
OnStep = Callable[[str], None]
LoadModel = Callable[[PerceptionParameters, OnStep], SetUp]


def load_model(parameters: PerceptionParameters, on_step: OnStep) -> SetUp:
    """Load the checkpoint that the parameters name; return what sets it up.

    Raises CheckpointError and its kinds, DeviceError and ConfigurationError; what is returned
    raises ConfigurationError or TokenizerError.
    """
    on_step("importing PyTorch")
    from lisa_ros.inference.engine import LisaEngine

    on_step(f"reading the weights of {parameters.model}, which may have to be downloaded")
    engine = LisaEngine.from_pretrained(
        parameters.model,
        device=parameters.device,
        dtype=parameters.dtype,
        quantization=parameters.quantization,
        **_set_up_options(parameters),
    )
    return lambda now: engine.set_up_anew(**_set_up_options(now))


def is_same_set_up(a: PerceptionParameters, b: PerceptionParameters) -> bool:
    """Say whether one segmenter serves both."""
    return _set_up_options(a) == _set_up_options(b)


def release_device_memory() -> None:
    """Give back what a freed model held on the device, if torch was ever loaded."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _set_up_options(parameters: PerceptionParameters) -> dict[str, Any]:
    """Return how to set a model up; what is empty is left to its checkpoint."""
    threshold = parameters.found_threshold
    return {
        "view": parameters.view or None,
        "conversation": parameters.conversation or None,
        "prompt_template": parameters.prompt_template or None,
        "found_threshold": "auto" if threshold is None else threshold,
    }
