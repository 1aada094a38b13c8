"""Files and folders that are there whole or not at all, whenever process or machine die."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


def write_text(path: Path, text: str) -> None:
    """Write a file aside, flush it to the disk, and rename it."""
    aside = path.with_name(f".{path.name}.part")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as `write_text` does."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_tensors(path: Path, state: Mapping[str, Any]) -> None:
    """Write what `torch.load` reads, as `write_text` does."""
    aside = path.with_name(f".{path.name}.part")
    with aside.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


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
