"""Files that are there whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lisa_ros.durable_files import flush_tree, replace_json, replace_text, replacing


def test_what_was_written_is_there_and_nothing_else(tmp_path: Path) -> None:
    replace_text(tmp_path / "a.txt", "ü\n")
    replace_text(tmp_path / "a.txt", "ö\n")
    replace_json(tmp_path / "b.json", {"name": "Öl"})
    assert (tmp_path / "a.txt").read_bytes() == "ö\n".encode()
    assert json.loads((tmp_path / "b.json").read_text(encoding="utf-8")) == {"name": "Öl"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.json"]


def test_an_error_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    replace_text(path, "old")

    def write_half() -> None:
        with replacing(path) as file:
            file.write(b"new, but")
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        write_half()
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a.txt", "old")]


def test_two_writers_at_once_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with replacing(path) as first, replacing(path) as second:
        first.write(b"first")
        second.write(b"the second one")
    assert path.read_text() == "first"  # the block that ended last
    assert list(tmp_path.iterdir()) == [path]


def test_content_is_flushed_before_the_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    flush, rename = os.fsync, Path.replace

    def noted_flush(descriptor: int) -> None:
        steps.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "content")
        flush(descriptor)

    def noted_rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_flush)
    monkeypatch.setattr(Path, "replace", noted_rename)
    replace_text(tmp_path / "a.txt", "new")
    assert steps == ["content", "rename", "folder"]
    steps.clear()
    (tmp_path / "sub").mkdir()
    flush_tree(tmp_path)
    assert sorted(steps) == ["content", "folder", "folder"]
