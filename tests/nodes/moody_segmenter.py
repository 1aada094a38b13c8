"""The fake segmenter with moods: words of the instruction make it misbehave."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

from fakes import FakeSegmenter

from lisa_ros.errors import GenerationCanceledError, InstructionTooLongError, TransformError
from lisa_ros.inference.segmenter import EncodedImage
from lisa_ros.types import Segmentation


class MoodySegmenter(FakeSegmenter):
    """Goes on and on at "slow", fails as a library would at "crash", refuses "too long", and
    has no transform for "untransformable".

    found_threshold: the user's own, at whose 1.0 it refuses everything. dumb: what it answers is no
    number.
    """

    def __init__(self, found_threshold: float | None = None, *, dumb: bool = False) -> None:
        super().__init__()
        self._strict = found_threshold == 1.0
        self._dumb = dumb

    def segment(self, image: EncodedImage, instruction: str, **options: Any) -> Segmentation:
        if "crash" in instruction:
            raise RuntimeError("a library failed")
        if "untransformable" in instruction:
            raise TransformError("base_link is not connected to camera")
        if "too long" in instruction:
            raise InstructionTooLongError("the prompt has 9999 tokens; the model takes 512")
        text = ""
        while "slow" in instruction:
            text += "word "
            options["on_text"](text)
            if options["should_stop"]():
                raise GenerationCanceledError("stopped", text)
            time.sleep(0.01)
        said = "no colour" if self._strict else instruction
        answer = super().segment(image, said, **options)
        return dataclasses.replace(answer, seg_probability=math.nan) if self._dumb else answer
