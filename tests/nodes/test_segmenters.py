"""The parameters reach the engine; what is empty is the checkpoint's own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lisa_ros.inference.engine import LisaEngine
from lisa_ros.nodes.parameters import PerceptionParameters, specifications
from lisa_ros.nodes.segmenters import load_model

AUTOMATIC = {"device": "auto", "dtype": "auto", "quantization": "none"}
LEFT_TO_THE_CHECKPOINT = {
    "conversation": None,
    "view": None,
    "prompt_template": None,
    "found_threshold": "auto",
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the engine is asked for: to be loaded, then to be set up anew."""
    asked: list[dict[str, Any]] = []

    def from_pretrained(model: str, **options: Any) -> SimpleNamespace:
        asked.append({**options, "model": model})
        return SimpleNamespace(set_up_anew=lambda **options: asked.append(options))

    monkeypatch.setattr(LisaEngine, "from_pretrained", from_pretrained)
    return asked


def test_empty_parameters_leave_it_to_the_checkpoint(asked: list[dict[str, Any]]) -> None:
    parameters = PerceptionParameters(model="a-folder")
    load_model(parameters, lambda step: None)(parameters)
    assert asked == [
        {"model": "a-folder", **AUTOMATIC, **LEFT_TO_THE_CHECKPOINT},
        LEFT_TO_THE_CHECKPOINT,
    ]


def test_given_parameters_are_passed_on(asked: list[dict[str, Any]]) -> None:
    loaded: dict[str, Any] = {"model": "a-folder", "device": "cpu", "dtype": "float32"}
    loaded["quantization"] = "nf4"
    given: dict[str, Any] = {
        "conversation": "llava_llama_2",
        "view": "center",
        "prompt_template": "Where is {instruction}?",
        "found_threshold": 0.0,
    }
    set_up = load_model(PerceptionParameters(**loaded, **given), lambda step: None)
    set_up(PerceptionParameters(**loaded, view="letterbox"))
    assert asked == [{**loaded, **given}, {**LEFT_TO_THE_CHECKPOINT, "view": "letterbox"}]


def test_steps_of_loading_are_named(asked: list[dict[str, Any]]) -> None:
    steps: list[str] = []
    load_model(PerceptionParameters(model="a-folder"), steps.append)
    assert len(steps) == 2
    assert "a-folder" in steps[-1]


def test_conversations_are_those_of_the_model() -> None:
    from lisa_ros.model.prompts import CONVERSATIONS

    choices = specifications()["conversation"].metadata["choices"]
    assert set(choices) - {""} <= set(CONVERSATIONS)
