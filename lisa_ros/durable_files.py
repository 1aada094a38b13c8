"""Files and folders that are there whole or not at all, whenever process or machine die."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

# A file that is being written is hidden, and has this suffix; what a dead writer left has it still.
PARTIAL_SUFFIX = ".partial"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file aside, which becomes `path`, on the disk, when the block ends without an error.

    After an error `path` is as it was. Several processes may do so at once: the last one wins.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PARTIAL_SUFFIX}")
    try:
        with flushed(aside) as file:
            yield file
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    flush(path.parent)


def replace_text(path: Path, text: str) -> None:
    """Write a text, in UTF-8, as `replacing` does."""
    with replacing(path) as file:
        file.write(text.encode())


def replace_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping, for people to read, as `replacing` does."""
    replace_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def flushed(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write, which is on the disk when the block has ended."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def flush_tree(folder: Path) -> None:
    """Flush a folder and all that is in it to the disk."""
    for path in folder.rglob("*"):
        flush(path)
    flush(folder)


def flush(path: Path) -> None:
    """Flush one file, or the names in one folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
