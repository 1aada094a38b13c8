"""A `Segmenter` without a network, for tests of what is behind the protocol."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lisa_ros.errors import ConfigurationError, GenerationCanceledError, ModelError
from lisa_ros.inference.instruction import clean_instruction, clean_turn
from lisa_ros.inference.segmenter import (
    DEFAULT_MAX_NEW_TOKENS,
    Capabilities,
    EncodedImage,
    Mode,
    OnDecode,
    OnText,
    ShouldStop,
)
from lisa_ros.model.preprocess import check_image
from lisa_ros.model.prompts import DEFAULT_PROMPT_TEMPLATE, REFUSAL, SUPPLIED_ANSWER
from lisa_ros.types import BoolArray, Float32Array, PixelBox, Segmentation, Turn, UInt8Array

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 180, 30),
    "blue": (30, 30, 220),
    "yellow": (230, 220, 40),
    "white": (245, 245, 245),
}
TOLERANCE = 60


@dataclass(frozen=True, eq=False)
class FakeImage(EncodedImage):
    """The image itself."""

    image: UInt8Array


class FakeSegmenter:
    """Finds pixels by colour name ("the red mug"); an embedding is the colour, f32[3].

    Prompted, it answers for the first colour of the instruction; generated, for all of them, word
    by word. A colour that no pixel has, or no colour at all, is refused.
    """

    def __init__(self) -> None:
        self.capabilities = Capabilities(
            name="fake",
            modes=("prompted", "generated"),
            supports_redecode=True,
            supports_streaming=True,
            found_threshold=0.5,
            demo_model=True,
            view="letterbox",
            prompt_template=DEFAULT_PROMPT_TEMPLATE,
            conversation="none",
        )

    def encode_image(self, image: UInt8Array, should_stop: ShouldStop | None = None) -> FakeImage:
        image = check_image(image)
        return FakeImage(image.shape[:2], image.copy())

    def segment(
        self,
        image: UInt8Array | EncodedImage,
        instruction: str,
        *,
        mode: Mode = "prompted",
        history: Sequence[Turn] = (),
        max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS,
        on_text: OnText | None = None,
        on_decode: OnDecode | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Segmentation:
        if mode not in self.capabilities.modes:
            raise ConfigurationError(f"Unknown mode {mode!r}.")
        sentence = clean_instruction(instruction)
        for turn in history:
            clean_turn(turn)
        encoded = image if isinstance(image, EncodedImage) else self.encode_image(image)
        named = [COLOURS[w] for w in re.findall(r"\w+", sentence.lower()) if w in COLOURS]
        masks, scores = self.decode(encoded, np.array(named, np.float32).reshape(-1, 3))
        present = [i for i, score in enumerate(scores) if score > 0]
        present = present if mode == "generated" else present[:1]
        text = self._say(mode, len(present), max_new_tokens, on_text, should_stop)
        if should_stop is not None and should_stop():
            raise GenerationCanceledError("Stopped on request.", text)
        if on_decode is not None:
            on_decode()
        n = text.count("[SEG]")
        calibrated = mode == "prompted" and not history
        return Segmentation(
            text=text,
            prompt_text=DEFAULT_PROMPT_TEMPLATE.format(instruction=sentence),
            masks=masks[present[:n]],
            scores=scores[present[:n]],
            seg_embeddings=np.array([named[i] for i in present[:n]], np.float32).reshape(-1, 3),
            seg_probability=0.9 if present else 0.1,
            found=n > 0,
            calibrated=calibrated,
            confidence=0.75 if calibrated and n else None,
            timings_ms={"mask_decode": 0.0},
            seen=(PixelBox(0, 0, encoded.image_hw[1], encoded.image_hw[0]),),
        )

    def decode(
        self, image: UInt8Array | EncodedImage, seg_embeddings: Float32Array
    ) -> tuple[BoolArray, Float32Array]:
        image = image if isinstance(image, EncodedImage) else self.encode_image(image)
        if not isinstance(image, FakeImage):
            raise ModelError("This image was encoded by another backend.")
        if seg_embeddings.ndim != 2 or seg_embeddings.shape[1] != 3:
            raise ModelError(f"Got embeddings {list(seg_embeddings.shape)}, expected [S,3].")
        distance = np.abs(image.image[None].astype(np.float32) - seg_embeddings[:, None, None])
        masks: BoolArray = (distance < TOLERANCE).all(axis=-1)
        return masks, masks.any(axis=(1, 2)).astype(np.float32)

    def _say(
        self,
        mode: Mode,
        n_masks: int,
        max_new_tokens: int,
        on_text: OnText | None,
        should_stop: ShouldStop | None,
    ) -> str:
        answer = (
            SUPPLIED_ANSWER if mode == "prompted" else "It is " + " and ".join(["[SEG]"] * n_masks)
        )
        words = (answer if n_masks else REFUSAL).split(" ")
        words = words[:max_new_tokens] if mode == "generated" else words
        text = ""
        for i in range(len(words)):
            if should_stop is not None and should_stop():
                raise GenerationCanceledError("Stopped on request.", text)
            text = " ".join(words[: i + 1])
            if on_text is not None:
                on_text(text)
        return text
