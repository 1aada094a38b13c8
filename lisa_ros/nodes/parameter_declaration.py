"""How one parameter of a node is declared: as a field of a dataclass that carries all about it."""

from __future__ import annotations

import enum
from dataclasses import field
from typing import Any


class Change(enum.Enum):
    """When a parameter may be set after the start."""

    ANY_TIME = "any time"
    UNCONFIGURED = "only while the node is unconfigured"
    AT_START = "only at the start"


def parameter(
    default: Any,
    description: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    change: Change = Change.UNCONFIGURED,
) -> Any:
    """Return a dataclass field that carries the declaration; a default of None means "not set".

    choices: all that a text may be. minimum, maximum: inclusive.
    """
    return field(
        default=default,
        metadata={
            "description": description,
            "unit": unit,
            "minimum": minimum,
            "maximum": maximum,
            "choices": choices,
            "change": change,
        },
    )
