"""The parameters reach the engine; what is empty is the checkpoint's own."""

from __future__ import annotations

from typing import Any

import pytest

from lisa_ros.inference.engine import LisaEngine
from lisa_ros.nodes.parameters import PerceptionParameters, specifications
from lisa_ros.nodes.segmenters import load_segmenter


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the engine is asked for instead of loading it."""
    asked: dict[str, Any] = {}

    def from_pretrained(model: str, **options: Any) -> None:
        asked.update(options, model=model)

    monkeypatch.setattr(LisaEngine, "from_pretrained", from_pretrained)
    return asked


def test_empty_parameters_leave_it_to_the_checkpoint(asked: dict[str, Any]) -> None:
    load_segmenter(PerceptionParameters(model="a-folder"))
    assert asked == {
        "model": "a-folder",
        "device": "auto",
        "dtype": "auto",
        "conversation": None,
        "view": None,
        "prompt_template": None,
        "found_threshold": "auto",
    }


def test_given_parameters_are_passed_on(asked: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "model": "a-folder",
        "device": "cpu",
        "dtype": "float32",
        "conversation": "llava_llama_2",
        "view": "center",
        "prompt_template": "Where is {instruction}?",
        "found_threshold": 0.0,
    }
    load_segmenter(PerceptionParameters(**given))
    assert asked == given


def test_conversations_are_those_of_the_model() -> None:
    from lisa_ros.model.prompts import CONVERSATIONS

    choices = specifications()["conversation"].metadata["choices"]
    assert set(choices) - {""} <= set(CONVERSATIONS)
