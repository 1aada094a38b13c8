"""The real perception node with the fake backend, run as a process by the tests.

Words of the instruction make it misbehave: "slow" goes on until it is stopped, "crash" raises what
no backend should, "too long" is refused. The model parameter says how loading goes: "broken"
fails, "slow" takes three seconds.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes import FakeSegmenter

from lisa_ros.errors import (
    CheckpointNotFoundError,
    GenerationCanceledError,
    InstructionTooLongError,
)
from lisa_ros.inference.segmenter import EncodedImage
from lisa_ros.nodes.parameters import PerceptionParameters
from lisa_ros.nodes.perception import PerceptionNode
from lisa_ros.nodes.process import run_node
from lisa_ros.types import Segmentation


class MoodySegmenter(FakeSegmenter):
    """See the module."""

    def segment(self, image: EncodedImage, instruction: str, **options: Any) -> Segmentation:
        if "crash" in instruction:
            raise RuntimeError("a library failed")
        if "too long" in instruction:
            raise InstructionTooLongError("the prompt has 9999 tokens; the model takes 512")
        text = ""
        while "slow" in instruction:
            text += "word "
            options["on_text"](text)
            if options["should_stop"]():
                raise GenerationCanceledError("stopped", text)
            time.sleep(0.01)
        return super().segment(image, instruction, **options)


def load(parameters: PerceptionParameters) -> MoodySegmenter:
    if parameters.model == "broken":
        raise CheckpointNotFoundError("no checkpoint 'broken'; expected a folder with config.json")
    if parameters.model == "slow":
        time.sleep(3.0)
    return MoodySegmenter()


if __name__ == "__main__":
    raise SystemExit(run_node(lambda: PerceptionNode(load), num_threads=4))
