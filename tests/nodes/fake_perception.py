"""The real perception node with a backend that finds red pixels, run as a process by the tests.

What it does depends on words of the instruction: "absent" is not found, "slow" goes on until it is
stopped, "crash" raises what no backend should, "too long" is refused as such. The model parameter
says how loading goes: "broken" fails, "slow" takes a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from lisa_ros.errors import (
    CheckpointNotFoundError,
    GenerationCanceledError,
    InstructionTooLongError,
)
from lisa_ros.inference.segmenter import Capabilities, EncodedImage
from lisa_ros.nodes.parameters import PerceptionParameters
from lisa_ros.nodes.perception import PerceptionNode
from lisa_ros.nodes.process import run_node
from lisa_ros.types import BoolArray, Float32Array, Segmentation, UInt8Array


class RedSegmenter:
    """Segments the red pixels of an image; counts what it encodes."""

    capabilities = Capabilities(
        name="red",
        modes=("prompted", "generated"),
        supports_redecode=True,
        supports_streaming=True,
        found_threshold=0.5,
        demo_model=True,
        view="center",
        prompt_template="{instruction}",
    )

    def __init__(self) -> None:
        self.encoded_images = 0

    def encode_image(self, image: UInt8Array) -> EncodedImage:
        self.encoded_images += 1
        encoded = EncodedImage(image.shape[:2])
        object.__setattr__(encoded, "image", image)
        return encoded

    def segment(
        self,
        image: EncodedImage,
        instruction: str,
        *,
        on_text: Callable[[str], None],
        should_stop: Callable[[], bool],
        **_: Any,
    ) -> Segmentation:
        if "crash" in instruction:
            raise RuntimeError("a library failed")
        if "too long" in instruction:
            raise InstructionTooLongError("the prompt has 9999 tokens; the model takes 512")
        text = ""
        while "slow" in instruction:
            text += "word "
            on_text(text)
            if should_stop():
                raise GenerationCanceledError("stopped", text)
            time.sleep(0.01)
        found = "absent" not in instruction
        masks = self.decode(image, np.zeros((int(found), 4), dtype=np.float32))[0]
        return Segmentation(
            text="Sure, [SEG]." if found else "There is no such thing in the image.",
            prompt_text=f"{instruction} Please output segmentation mask.",
            masks=masks,
            scores=np.full(len(masks), 0.9, dtype=np.float32),
            seg_embeddings=np.zeros((len(masks), 4), dtype=np.float32),
            seg_probability=0.97 if found else 0.02,
            found=found,
            calibrated=True,
            timings_ms={"prefill": 1.0},
        )

    def decode(
        self, image: EncodedImage, seg_embeddings: Float32Array
    ) -> tuple[BoolArray, Float32Array]:
        pixels = image.image.astype(int)  # type: ignore[attr-defined]
        red = (pixels[..., 0] > 150) & (pixels[..., 1] < 100) & (pixels[..., 2] < 100)
        count = len(seg_embeddings)
        return np.repeat(red[None], count, axis=0), np.full(count, 0.9, dtype=np.float32)


def load(parameters: PerceptionParameters) -> RedSegmenter:
    if parameters.model == "broken":
        raise CheckpointNotFoundError("no checkpoint 'broken'; expected a folder with config.json")
    if parameters.model == "slow":
        time.sleep(3.0)
    return RedSegmenter()


if __name__ == "__main__":
    raise SystemExit(run_node(lambda: PerceptionNode(load), num_threads=4))
