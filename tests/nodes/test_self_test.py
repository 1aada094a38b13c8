"""The test question after loading: what is well formed passes, anything else is a typed error."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from fakes import FakeSegmenter

from lisa_ros.errors import ModelError, SelfTestError
from lisa_ros.nodes.self_test import self_test
from lisa_ros.types import BoolArray, Float32Array, Segmentation


class Damaged(FakeSegmenter):
    """Answers with some fields replaced, or raises."""

    def __init__(self, failure: Exception | None = None, **fields: Any) -> None:
        super().__init__()
        self.failure = failure
        self.fields = fields

    def segment(self, image: Any, instruction: str, **options: Any) -> Segmentation:
        if self.failure is not None:
            raise self.failure
        answer = super().segment(image, instruction, **options)
        return dataclasses.replace(answer, **self.fields)


def test_a_model_that_answers_passes_with_yes_or_no() -> None:
    self_test(FakeSegmenter())
    none = np.zeros((0, 48, 64), dtype=bool)
    refusal = {"masks": none, "scores": np.zeros(0, np.float32), "found": False}
    self_test(Damaged(**refusal, seg_embeddings=np.zeros((0, 3), np.float32), seg_probability=0.1))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"seg_probability": float("nan")}, "seg_probability"),
        ({"seg_probability": 1.5}, "seg_probability"),
        ({"scores": np.array([np.nan], np.float32)}, "scores"),
        ({"scores": np.array([0.5, 0.5], np.float32)}, "scores"),
        ({"masks": np.zeros((1, 64, 48), bool)}, "masks"),
        ({"seg_embeddings": np.full((1, 3), np.inf, np.float32)}, "not finite"),
        ({"seg_embeddings": np.zeros((2, 3), np.float32)}, "embeddings"),
    ],
)
def test_malformed_answers_are_named(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(SelfTestError, match=words):
        self_test(Damaged(**fields))


@pytest.mark.parametrize(
    "failure", [ModelError("the logits came out as NaN"), RuntimeError("CUDA out of memory")]
)
def test_whatever_the_model_raises_is_a_failed_test(failure: Exception) -> None:
    with pytest.raises(SelfTestError, match=str(failure)) as caught:
        self_test(Damaged(failure))
    assert caught.value.__cause__ is failure


def test_masks_are_decoded_even_where_the_answer_is_a_refusal() -> None:
    class Blind(FakeSegmenter):
        def decode(
            self, image: Any, seg_embeddings: Float32Array
        ) -> tuple[BoolArray, Float32Array]:
            masks, scores = super().decode(image, seg_embeddings)
            return masks, scores * np.float32(np.nan)

    class Refusing(Blind):
        def segment(self, image: Any, instruction: str, **options: Any) -> Segmentation:
            return FakeSegmenter().segment(image.image, "the green square", **options)

    with pytest.raises(SelfTestError, match="scores"):
        self_test(Refusing())
