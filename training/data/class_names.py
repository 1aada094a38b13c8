"""Lists of class names that ship with the readers: the datasets' own files do not have them."""

from __future__ import annotations

from pathlib import Path


def shipped_class_names(file_name: str) -> tuple[str, ...]:
    """Read a list beside this module: a name a line, in the order of the class numbers.

    Lines that start with # say where the list is from.
    """
    text = (Path(__file__).parent / file_name).read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))
