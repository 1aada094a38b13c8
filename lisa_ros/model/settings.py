"""`lisa.json`: what this project stores beside the weights, and released checkpoints lack."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.json_files import fits
from lisa_ros.model.prompts import (
    DEFAULT_PROMPT_TEMPLATE,
    LLAVA_V1,
    conversation_named,
    wrap_instruction,
)
from lisa_ros.model.reliability import check_reliability
from lisa_ros.model.views import view_named


@dataclass(frozen=True)
class LisaSettings:
    """How a checkpoint wants to be used, and where it comes from; defaults for released ones.

    found_threshold: below this seg_probability a prompted answer is NOT_FOUND; None where nobody
    calibrated it. reliability: how often a prompted answer is right, by seg_probability; empty
    where nobody measured it. view: what CLIP sees of the image. prompt_template: wraps an
    instruction. conversation: the template the weights were trained with. demo_model: a
    demonstration, not a product.
    """

    found_threshold: float | None = None
    reliability: tuple[tuple[float, float], ...] = ()
    view: str = "center"
    prompt_template: str = DEFAULT_PROMPT_TEMPLATE
    conversation: str = LLAVA_V1.name
    demo_model: bool = False
    licence: str = ""
    training_data: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ConfigurationError for a value that could not work."""
        threshold = self.found_threshold
        if threshold is not None and not 0.0 <= threshold <= 1.0:
            raise ConfigurationError(f"found_threshold is {threshold}; expected 0..1 or null")
        # JSON has lists only.
        object.__setattr__(self, "reliability", check_reliability(self.reliability))
        view_named(self.view)
        wrap_instruction("", self.prompt_template)
        conversation_named(self.conversation)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LisaSettings:
        """Read a parsed `lisa.json`.

        Raises:
            ConfigurationError: an unknown field, a wrong type or a value out of range; names the
            field.

        """
        fields = {spec.name: spec for spec in dataclasses.fields(cls)}
        for name, value in data.items():
            if name not in fields:
                raise ConfigurationError(
                    f"lisa.json: unknown field {name!r}; known: {', '.join(fields)}"
                )
            if not fits(value, str(fields[name].type)):
                raise ConfigurationError(
                    f"lisa.json: {name} is {value!r}; expected {fields[name].type}"
                )
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """Return the content of `lisa.json`."""
        return {**dataclasses.asdict(self), "provenance": dict(self.provenance)}
