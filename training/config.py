"""Configuration files: YAML into frozen dataclasses, with `key=value` overrides."""

from __future__ import annotations

import dataclasses
import difflib
import os
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from lisa_ros.errors import ConfigurationError

T = TypeVar("T")


def load_config(kind: type[T], path: Path, overrides: Sequence[str] = ()) -> T:
    """Read `path` into the dataclass `kind`; `overrides` are `a.b=value`, in YAML notation.

    A text that begins with ~/ is a path in the user's home.

    Raises:
        ConfigurationError: a file that is not YAML, an unknown key, a missing one, or a value of
        the wrong type.

    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(f"No configuration file {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read as a text file: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"{path} should hold key: value pairs, got {type(content).__name__}."
        )
    for override in overrides:
        _apply_override(content, override)
    return from_mapping(kind, content, str(path))


def _apply_override(content: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise ConfigurationError(f"An override is written key=value, got {override!r}.")
    *parents, leaf = key.split(".")
    for parent in parents:
        content = content.setdefault(parent, {})
        if not isinstance(content, dict):
            raise ConfigurationError(f"{key}: {parent} is a single value, not a section.")
    try:
        content[leaf] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{key}: {value!r} is not valid YAML: {error}") from error


def from_mapping(kind: type[T], content: dict[str, Any], where: str) -> T:
    """Build the dataclass `kind` from a mapping, nested dataclasses included; see `load_config`."""
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in content:
        if key not in fields:
            close = difflib.get_close_matches(str(key), fields, 1)
            hint = f" Did you mean {close[0]}?" if close else f" Known keys: {', '.join(fields)}."
            raise ConfigurationError(f"{where}: unknown key {key!r}.{hint}")
    values = {key: _convert(hints[key], value, f"{where}: {key}") for key, value in content.items()}
    missing = [
        name
        for name, f in fields.items()
        if name not in values
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigurationError(f"{where}: missing {', '.join(missing)}.")
    return kind(**values)


def expect(holds: bool, name: str, value: object, expected: str) -> None:
    """Raise ConfigurationError for a value out of range, unless the condition holds."""
    if not holds:
        raise ConfigurationError(f"{name} is {value}; expected {expected}.")


def _convert(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise ConfigurationError(f"{where} should be a section, got {value!r}.")
        return from_mapping(hint, value, where)
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        (hint,) = [a for a in typing.get_args(hint) if a is not type(None)]
        return _convert(hint, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigurationError(f"{where} should be a list, got {value!r}.")
        return tuple(_convert(typing.get_args(hint)[0], item, where) for item in value)
    if origin is Literal:
        choices = typing.get_args(hint)
        if value not in choices:
            known = ", ".join(map(str, choices))
            raise ConfigurationError(f"{where} is {value!r}; choose one of {known}.")
        return value
    if origin is dict:
        hint = dict
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str):  # YAML 1.1 reads 1e-3 as text
        try:
            return float(value)
        except ValueError:
            pass
    if hint is bool and not isinstance(value, bool):
        raise ConfigurationError(f"{where} is {value!r}; choose true or false.")
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ConfigurationError(f"{where} should be {hint.__name__}, got {value!r}.")
    if isinstance(value, str) and value.startswith("~/"):  # no shell does, in YAML or after a "="
        return os.path.expanduser(value)
    return value
