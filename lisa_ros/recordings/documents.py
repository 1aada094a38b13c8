"""The JSON and YAML documents of a dataset, read so that an error names file, key and cure."""

from __future__ import annotations

import json
import math
import re
import reprlib
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from lisa_ros.errors import DatasetError

# labelme may embed the image; nothing else comes near it.
MAX_BYTES = 64 * 2**20
# Half of a character, as JSON's "\ud83d" without its other half: no encoding has it.
_HALF_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
# What PyYAML raises beside its own errors, of tags such as "!!int ''" or "!!timestamp now".
_NOT_YAML = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxstring, _SHORT.maxother = 2, 16, 120, 120


class _PlainLoader(yaml.SafeLoader):
    """Without merged mappings ("<<"), by which a few hundred bytes become gigabytes."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Leave "<<" alone, for which there is no constructor then: an error."""


@dataclass(frozen=True)
class Document:
    """A mapping with a place: `where` is the file, and the path inside of it for a nested one.

    Every getter raises DatasetError where the value is not what it returns.
    """

    where: str
    values: dict[str, Any]

    def has(self, key: str) -> bool:
        """Whether there is a value that is not null."""
        return self.values.get(key) is not None

    def text(self, key: str) -> str:
        """A string that is not blank."""
        value: Any = self.values.get(key)
        if not _is_text(value):
            self.fail(key, "a string that is not blank, of whole characters")
        return str(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of one or more strings that are not blank."""
        value = self.values.get(key)
        if not isinstance(value, list) or not value or not all(map(_is_text, value)):
            self.fail(key, "a list of one or more strings of whole characters, none of them blank")
        return tuple(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """True or false; a missing one is the default, if there is one."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            self.fail(key, "true or false")
        return value

    def integer(self, key: str) -> int:
        """A whole number (true and false are none)."""
        value = self.values.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            self.fail(key, "a whole number")
        return value

    def number(self, key: str) -> float:
        """A finite number."""
        value: Any = self.values.get(key)
        if not is_number(value):
            self.fail(key, "a finite number (YAML wants 0.001 or 1.0e-3, not 1e-3)")
        return float(value)

    def numbers(self, key: str, count: int | None = None) -> tuple[float, ...]:
        """A list of finite numbers, `count` of them if that is given."""
        value: Any = self.values.get(key)
        fits = isinstance(value, list) and all(map(is_number, value))
        if not fits or (count is not None and len(value) != count):
            self.fail(key, f"a list of {'' if count is None else f'{count} '}finite numbers")
        return tuple(float(number) for number in value)

    def child(self, key: str) -> Document:
        """A nested mapping."""
        value = self.values.get(key)
        if not isinstance(value, dict):
            self.fail(key, "a mapping")
        return Document(f"{self.where}: {key}", value)

    def children(self, key: str) -> list[Document]:
        """A list of mappings, which may be empty."""
        return mappings(self.values.get(key), f"{self.where}: {key}")

    def fail(self, key: str, expected: str) -> NoReturn:
        """Raise DatasetError about the value of a key."""
        got = _shown(self.values[key]) if key in self.values else "nothing"
        raise DatasetError(f"{self.where}: {key!r} is {got}; expected {expected}.")


def mappings(value: object, where: str) -> list[Document]:
    """The mappings of a list; DatasetError for anything else."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise DatasetError(f"{where} is {_shown(value)}; expected a list of mappings.")
    return [Document(f"{where}[{index}]", item) for index, item in enumerate(value)]


def read_json(path: Path) -> Any:
    """The value of a JSON file in UTF-8, or else in cp1252. Raises DatasetError naming the file."""
    text, _ = decode_text(read_bytes(path), path)
    try:
        value = json.loads(text)
        if _HALF_ESCAPED.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is not JSON: {error}. Save it again.") from error
    return value


def read_json_document(path: Path) -> Document:
    """The object in a JSON file. Raises DatasetError naming the file."""
    return _document(read_json(path), path)


def read_yaml_document(path: Path) -> Document:
    """The mapping in a YAML file. Raises DatasetError naming the file."""
    try:
        value = yaml.load(decode_text(read_bytes(path), path)[0], _PlainLoader)
    except _NOT_YAML as error:
        raise DatasetError(f"{path} is not YAML: {error}. Write it again.") from error
    return _document(value, path)


def decode_text(data: bytes, path: Path) -> tuple[str, str]:
    """The text of a file, and its encoding, "utf-8" or "cp1252". DatasetError if it is neither."""
    for codec, encoding in (("utf-8-sig", "utf-8"), ("cp1252", "cp1252")):
        try:
            return data.decode(codec), encoding
        except UnicodeDecodeError:
            continue
    raise DatasetError(f"{path} is neither UTF-8 nor cp1252 text. Save it as UTF-8.")


def read_bytes(path: Path) -> bytes:
    """The bytes of a file of at most MAX_BYTES. Raises DatasetError naming the file."""
    try:
        status = path.stat()
        size = status.st_size
        if stat.S_ISFIFO(status.st_mode):  # reading it would wait for its writer
            raise DatasetError(f"{path} is a pipe; expected a file.")
        if size > MAX_BYTES:
            raise DatasetError(
                f"{path} has {size} bytes; expected at most {MAX_BYTES}. Is it the right file?"
            )
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"Cannot read {path}: {error.strerror}.") from error


def is_number(value: object) -> bool:
    """Whether it is an int or a finite float; true and false are not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 2**63 if isinstance(value, int) else math.isfinite(value)


def _document(value: object, path: Path) -> Document:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise DatasetError(f"{path} holds {_shown(value)}; expected a mapping with names as keys.")
    return Document(str(path), value)


def _is_text(value: object) -> bool:
    if not isinstance(value, str) or not value.strip():
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _shown(value: object) -> str:
    """A value, short enough for a message; YAML can hold lists that are endless when written."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a list of {len(value)}" if len(value) > 16 else _SHORT.repr(value)[:120]
    return _SHORT.repr(value)[:120]
