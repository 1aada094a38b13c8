"""What is known about a checkpoint from its files alone: no torch, and nothing is downloaded."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lisa_ros.diagnosis import Diagnosis, broken, ok, warning

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_HEADER_LENGTH = struct.Struct("<Q")
_MOST_HEADER_BYTES = 100 * 2**20
_LFS = b"version https://git-lfs"


@dataclass(frozen=True)
class CheckpointFacts:
    """A checkpoint's folder and what its files say.

    folder: None where it is not on this machine, then `problem` says why. config, settings: the
    content of config.json and lisa.json, empty where there is none. weights: the files, those
    included that an index names and that are missing. problems: what keeps it from being loaded.
    """

    model: str
    folder: Path | None
    problem: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Of the weights that are there."""
        return sum(path.stat().st_size for path in self.weights if path.is_file())


def read_checkpoint(model: str) -> CheckpointFacts:
    """Look at an alias, a folder, or what the hub's cache has of a hub id."""
    from lisa_ros.errors import CheckpointNotFoundError
    from lisa_ros.model.locations import local_folder

    try:
        folder = local_folder(model)
    except CheckpointNotFoundError as error:
        return CheckpointFacts(model, None, str(error))
    if folder is None:
        return CheckpointFacts(model, None, f"{model} has not been downloaded to this machine yet")
    problems: list[str] = []
    config = _object(folder / "config.json", problems, needed=True)
    settings = _object(folder / "lisa.json", problems, needed=False)
    weights = tuple(_weight_files(folder, problems))
    problems += [problem for path in weights for problem in _weight_problems(path)]
    if not (folder / "tokenizer.model").is_file():
        problems.append("tokenizer.model is missing")
    return CheckpointFacts(model, folder, "", config, settings, weights, tuple(problems))


def check(model: str) -> Iterator[Diagnosis]:
    """Say whether the files of a checkpoint are there and whole."""
    facts = read_checkpoint(model)
    if facts.folder is None:
        yield warning(
            "weights",
            facts.problem,
            "The node fetches a hub id when it is configured; or name the folder that has it.",
        )
    elif facts.problems:
        yield broken(
            "weights",
            f"{model} in {facts.folder} cannot be loaded: {'; '.join(facts.problems)}",
            "Fetch it again (`git lfs pull` in a clone of it), or name another checkpoint.",
        )
    else:
        size = f"{facts.size_bytes / 2**20:.0f} MiB in {len(facts.weights)} files"
        yield ok("weights", f"{model}: {size}, whole as far as their headers tell")
    tower = facts.config.get("vision_tower") or facts.config.get("mm_vision_tower")
    if facts.folder is not None and isinstance(tower, str):
        yield from _tower_findings(facts.folder, tower)
    if facts.settings and facts.settings.get("found_threshold") is None:
        yield warning(
            "weights",
            f"{model} has no found_threshold: a prompted answer never says that nothing is there",
            "Calibrate it on your own data: python -m training.calibrate",
        )


def _tower_findings(folder: Path, tower: str) -> Iterator[Diagnosis]:
    from lisa_ros.model.locations import local_vision_tower

    if local_vision_tower(folder, tower) is None:
        yield warning(
            "weights",
            f"the vision tower {tower} is not on this machine",
            "It is fetched when the node is configured; or put its folder inside the checkpoint's.",
        )


def _object(path: Path, problems: list[str], *, needed: bool) -> dict[str, Any]:
    if not path.is_file():
        if needed:
            problems.append(f"{path.name} is missing")
        return {}
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        problems.append(f"{path.name} cannot be read: {error}")
        return {}
    if not isinstance(content, dict):
        problems.append(f"{path.name} holds no JSON object")
        return {}
    return content


def _weight_files(folder: Path, problems: list[str]) -> Iterator[Path]:
    for name in _WEIGHTS:
        index = folder / f"{name}.index.json"
        if index.is_file():
            weight_map = _object(index, problems, needed=True).get("weight_map")
            names = set(weight_map.values()) if isinstance(weight_map, dict) else set()
            if not names:
                problems.append(f"{index.name} names no file")
            yield from (folder / str(shard) for shard in sorted(map(str, names)))
            return
        if (folder / name).is_file():
            yield folder / name
            return
    problems.append(f"there are no weights ({' or '.join(_WEIGHTS)}, in one piece or with index)")


def _weight_problems(path: Path) -> Iterator[str]:
    """Find what an interrupted download or a clone without LFS leaves."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(len(_LFS))
            if start == _LFS:
                yield f"{path.name} is a pointer of git LFS, not the file"
            elif path.suffix == ".safetensors":
                file.seek(0)
                expected = _safetensors_size(file.read(_HEADER_LENGTH.size), file.read)
                if expected != size:
                    yield f"{path.name} has {size} bytes; its header says {expected}"
            elif size == 0:
                yield f"{path.name} is empty"
    except OSError as error:
        yield f"{path.name} cannot be read: {error.strerror}"


def _safetensors_size(length: bytes, read: Any) -> int | None:
    """Return the bytes that a file with this header has; None if that is no header.

    Source: the format's own page: u64 length of the header, JSON header, data.
    """
    if len(length) < _HEADER_LENGTH.size:
        return None
    header_bytes: int = _HEADER_LENGTH.unpack(length)[0]
    if header_bytes > _MOST_HEADER_BYTES:
        return None
    try:
        header = json.loads(read(header_bytes))
        ends = [
            int(entry["data_offsets"][1])
            for name, entry in header.items()
            if name != "__metadata__"
        ]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return _HEADER_LENGTH.size + header_bytes + max(ends, default=0)
