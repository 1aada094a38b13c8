"""JSON files of a checkpoint: reading an object, and checking its values against a dataclass."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError

from lisa_ros.errors import (
    CheckpointCorruptError,
    CheckpointMismatchError,
    CheckpointNotFoundError,
)

_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "int": int,
    "float": (int, float),
    "bool": bool,
    "str": str,
    "Mapping[str, Any]": Mapping,
    "tuple[tuple[float, float], ...]": (list, tuple),
    "None": type(None),
}

# What transformers and torch raise for a config that makes no sense, seen by changing its values.
_UNBUILDABLE = (
    KeyError,
    TypeError,
    ValueError,
    AssertionError,
    OverflowError,
    StrictDataclassError,
)
# Several times as many as the deepest networks have; a billion would take a day to build.
_MOST_LAYERS = 1000


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        CheckpointNotFoundError: no such file.
        CheckpointCorruptError: not JSON, or not an object; names the file.

    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointNotFoundError(f"{path} is missing; the checkpoint is incomplete") from None
    except (ValueError, OSError, RecursionError) as error:
        raise CheckpointCorruptError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(data, dict):
        raise CheckpointCorruptError(f"{path} must hold a JSON object, got {type(data).__name__}")
    return data


def typed_field(source: str, field: dataclasses.Field, value: Any) -> Any:
    """Return a value that fits its field; CheckpointMismatchError names file and field."""
    if not fits(value, str(field.type)):
        raise CheckpointMismatchError(
            f"{source}: {field.name} is {value!r}; expected a value of type {field.type}"
        )
    return value


def check_positive(source: str, values: object, names: Iterable[str]) -> None:
    """Raise CheckpointMismatchError, naming file and field, unless these are finite and > 0."""
    for name in names:
        if not 0 < getattr(values, name) < math.inf:
            raise CheckpointMismatchError(
                f"{source}: {name} is {getattr(values, name)}; expected a positive number"
            )


def check_depth(source: str, num_hidden_layers: int) -> None:
    """Raise CheckpointMismatchError for layers that would only be built to find them missing."""
    if num_hidden_layers > _MOST_LAYERS:
        raise CheckpointMismatchError(
            f"{source}: num_hidden_layers is {num_hidden_layers}; expected at most {_MOST_LAYERS}"
        )


@contextmanager
def buildable(source: str) -> Iterator[None]:
    """Turn what transformers raises for a network that it cannot build into our own error.

    Raises CheckpointMismatchError, naming the file, for the kind of rope scaling or activation that
    there is not, or sizes that contradict each other.
    """
    try:
        yield
    except _UNBUILDABLE as error:
        raise CheckpointMismatchError(
            f"{source} describes a network that cannot be built: {type(error).__name__}: {error}"
        ) from error


def fits(value: Any, annotation: str) -> bool:
    """Say whether a JSON value fits an annotation such as "float | None".

    An int is a float as well; a bool is no number.
    """
    kinds = annotation.split(" | ")
    if isinstance(value, bool):
        return "bool" in kinds
    return any(isinstance(value, _KINDS[kind]) for kind in kinds)
