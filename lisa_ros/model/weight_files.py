"""Files of weights: `.safetensors` or `.bin`, in one piece or in shards with an index.

Only tensors are ever read (`weights_only`), shapes before any data, and one shard at a time, so
that loading needs the model once plus one shard. Layouts are those of transformers'
`save_pretrained`.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from lisa_ros.errors import (
    CheckpointCorruptError,
    CheckpointMismatchError,
    CheckpointNotFoundError,
)
from lisa_ros.model.json_files import read_json

Shapes = dict[str, tuple[int, ...]]

_LAYOUTS = (
    "model.safetensors.index.json",
    "model.safetensors",
    "pytorch_model.bin.index.json",
    "pytorch_model.bin",
)

# What torch.load raises on bytes that are not what it expects, seen by truncating and scrambling
# files.
_UNREADABLE = (
    RuntimeError,
    pickle.UnpicklingError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    SafetensorError,
)


def find_weight_files(folder: Path) -> list[Path]:
    """Return the files that hold the weights of a folder; safetensors are preferred.

    Raises:
        CheckpointNotFoundError: none there, or a shard that the index names is missing.
        CheckpointCorruptError: the index is unreadable.

    """
    layout = next((folder / name for name in _LAYOUTS if (folder / name).is_file()), None)
    if layout is None:
        raise CheckpointNotFoundError(
            f"{folder} has no weights; expected one of {', '.join(_LAYOUTS)}"
        )
    if layout.suffix != ".json":
        return [layout]
    weight_map = read_json(layout).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointCorruptError(f"{layout} has no weight_map")
    names = sorted({str(name) for name in weight_map.values()})
    for name in names:
        if Path(name).name != name:
            raise CheckpointCorruptError(f"{layout} names {name!r}, which is not a file beside it")
        if not (folder / name).is_file():
            raise CheckpointNotFoundError(f"{folder / name} is missing; {layout.name} names it")
    return [folder / name for name in names]


def read_shapes(files: list[Path]) -> Shapes:
    """Return the shape of every tensor, without reading data where the format allows it.

    Raises:
        CheckpointCorruptError: a file is truncated or not what its name says.
        CheckpointMismatchError: two files hold the same key.

    """
    shapes: Shapes = {}
    for path in files:
        for key, shape in _shapes_of(path).items():
            if key in shapes:
                raise CheckpointMismatchError(
                    f"{path} holds {key!r}, which another shard holds too"
                )
            shapes[key] = shape
    return shapes


def check_keys(expected: Mapping[str, tuple[int, ...]], found: Shapes, source: Path) -> None:
    """Raise CheckpointMismatchError, naming keys, unless both have the same keys and shapes."""
    problems = []
    if missing := [key for key in expected if key not in found]:
        problems.append(f"missing {_listed(missing)}")
    if unexpected := [key for key in found if key not in expected]:
        problems.append(f"unexpected {_listed(unexpected)}")
    wrong = [
        f"{key} is {list(found[key])}, expected {list(shape)}"
        for key, shape in expected.items()
        if key in found and tuple(found[key]) != tuple(shape)
    ]
    if wrong:
        problems.append(f"wrong shape: {_listed(wrong)}")
    if problems:
        raise CheckpointMismatchError(f"the weights in {source} do not fit: {'; '.join(problems)}")


def load_into(
    module: nn.Module,
    files: list[Path],
    key_of: Callable[[str], str | None],
    device: torch.device,
    dtype: torch.dtype,
) -> None:
    """Assign the tensors of `files` to a module on the meta device, one shard at a time.

    key_of maps a name in a file to the module's, None to leave it out. Floating point tensors are
    converted to dtype. Keys and shapes must have been checked (`check_keys`).
    """
    for path in files:
        shard = {}
        for name, tensor in _tensors_of(path):
            key = key_of(name)
            if key is not None:
                kind = dtype if tensor.is_floating_point() else tensor.dtype
                shard[key] = tensor.to(device=device, dtype=kind, copy=True)
        module.load_state_dict(shard, strict=False, assign=True)


def read_tensors(files: list[Path], keys: Collection[str]) -> Iterator[tuple[str, Tensor]]:
    """Read some tensors, in the files' own dtype; keys that are not there are left out.

    Raises CheckpointCorruptError for a file that is truncated or not what its name says.
    """
    for path in files:
        yield from ((key, tensor) for key, tensor in _tensors_of(path) if key in keys)


def _listed(items: list[str], most: int = 5) -> str:
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def _shapes_of(path: Path) -> Shapes:
    if path.suffix != ".safetensors":
        return {key: tuple(tensor.shape) for key, tensor in _load_bin(path).items()}
    try:
        with safe_open(path, framework="pt") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except _UNREADABLE as error:
        raise _corrupt(path, error) from error


def _tensors_of(path: Path) -> Iterator[tuple[str, Tensor]]:
    if path.suffix != ".safetensors":
        yield from _load_bin(path).items()
        return
    try:
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118
                yield key, file.get_tensor(key)
    except _UNREADABLE as error:
        raise _corrupt(path, error) from error


def _load_bin(path: Path) -> dict[str, Tensor]:
    """Return a `.bin` file's tensors, mapped from the file where it has the zip layout of today."""
    try:
        data = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except _UNREADABLE as error:
        raise _corrupt(path, error) from error
    if not isinstance(data, dict) or not all(isinstance(t, Tensor) for t in data.values()):
        raise CheckpointCorruptError(f"{path} does not hold a state dict (names and tensors)")
    return data


def _corrupt(path: Path, error: Exception) -> CheckpointCorruptError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return CheckpointCorruptError(
        f"{path} is truncated or not a file of weights ({reason}); get it again"
    )
