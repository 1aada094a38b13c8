"""Loading and saving a LISA directory: the layout of released checkpoints.

`config.json`, the weights (`weight_files`), the slow tokenizer's files, the vision tower in a
folder of its own or elsewhere (`locations`), and optionally this project's `lisa.json`
(`settings`).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from lisa_ros.durable_files import flush, flush_tree, replace_json
from lisa_ros.errors import CheckpointMismatchError, DeviceError, TokenizerError
from lisa_ros.model.config import LisaConfig
from lisa_ros.model.json_files import read_json
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.locations import checkpoint_folder, checkpoint_name, vision_tower_folder
from lisa_ros.model.preprocess import ClipProcessor
from lisa_ros.model.sam_config import SamConfig
from lisa_ros.model.settings import LisaSettings
from lisa_ros.model.tokenizer import LisaTokenizer
from lisa_ros.model.vision_files import (
    load_vision_tower,
    preprocessor_json,
    read_clip_config,
    tower_weights,
)
from lisa_ros.model.weight_files import (
    Shapes,
    check_keys,
    find_weight_files,
    load_into,
    read_shapes,
)

SETTINGS_FILE = "lisa.json"
TOKENIZER_FILES = (
    "tokenizer.model",
    "added_tokens.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
)

_SAM_PREFIX = "model.visual_model."
_EMBEDDINGS = "model.embed_tokens.weight"


@dataclass(frozen=True)
class LoadedLisa:
    """A checkpoint, ready to use: the model in eval mode.

    path: the folder it was read from. name: for people, the id it was asked for by.
    """

    model: LisaForCausalLM
    tokenizer: LisaTokenizer
    config: LisaConfig
    settings: LisaSettings
    clip_processor: ClipProcessor
    path: Path
    name: str


def load_checkpoint(
    model: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> LoadedLisa:
    """Load a LISA checkpoint strictly.

    Args:
        model: a folder, a hub id, or the alias of a shipped checkpoint (`lisa-tiny`).
        device: where the weights go, each straight from its file. On "meta" everything is checked
            but the weights are not read.
        dtype: of the weights, whatever the files hold; the rotary frequencies stay float32.

    Raises:
        CheckpointNotFoundError: the checkpoint or one of its files is missing.
        CheckpointCorruptError: a file is truncated or not what its name says.
        CheckpointMismatchError: a key is missing, unexpected or wrongly shaped, or sizes contradict
            each other.
        TokenizerError: the tokenizer does not belong to the weights.
        ConfigurationError: lisa.json asks for something that does not exist.
        DeviceError: the device is not available, or its memory is too small.

    """
    target = _available(device)
    folder = checkpoint_folder(model)
    config = LisaConfig.from_json(read_json(folder / "config.json"))
    settings = _read_settings(folder)
    tokenizer = LisaTokenizer.from_pretrained(folder)
    files = find_weight_files(folder)
    shapes = {key: shape for key, shape in read_shapes(files).items() if not _ignorable(key)}
    _check_tokenizer(tokenizer, config, shapes)
    sam = SamConfig.from_state_dict(
        {
            k.removeprefix(_SAM_PREFIX): shape
            for k, shape in shapes.items()
            if k.startswith(_SAM_PREFIX)
        }
    )
    tower_folder = vision_tower_folder(folder, config.vision_tower)
    clip, processor = read_clip_config(tower_folder)
    with torch.device("meta"):
        network = LisaForCausalLM(config, sam, clip)
    expected = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    check_keys(expected, shapes, folder)
    try:
        load_vision_tower(network.vision_tower, tower_folder, target, dtype)
        if target.type != "meta":
            load_into(network, files, lambda key: None if _ignorable(key) else key, target, dtype)
            network.reset_rotary(target)
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceError(
            f"{folder} does not fit into the memory of {target} as {dtype}; use bfloat16, free the "
            f"device or choose another one ({error})"
        ) from error
    name = checkpoint_name(model)
    return LoadedLisa(network.eval(), tokenizer, config, settings, processor, folder, name)


def save_checkpoint(
    folder: Path,
    model: LisaForCausalLM,
    *,
    tokenizer_folder: Path,
    clip_processor: ClipProcessor,
    settings: LisaSettings,
    dtype: torch.dtype = torch.bfloat16,
) -> None:
    """Write a checkpoint that `load_checkpoint` gives back exactly (after rounding to dtype).

    The vision tower goes into a sub-folder with the last part of `config.vision_tower` as its name.
    Everything is written beside `folder`, flushed, and moved into place: a reader sees the old
    checkpoint or the new one, except for the instant between two renames when `folder` already
    existed.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        aside.chmod(0o755)
        config = {**model.config.to_json(), "torch_dtype": str(dtype).removeprefix("torch.")}
        _write_json(aside / "config.json", config)
        _write_json(aside / SETTINGS_FILE, settings.to_json())
        for name in TOKENIZER_FILES:
            if (tokenizer_folder / name).is_file():
                shutil.copyfile(tokenizer_folder / name, aside / name)
        _write_weights(aside / "model.safetensors", model.state_dict(), dtype)
        tower = aside / Path(model.config.vision_tower).name
        tower.mkdir()
        _write_json(tower / "config.json", model.vision_tower.config.to_json())
        _write_json(tower / "preprocessor_config.json", preprocessor_json(clip_processor))
        _write_weights(tower / "model.safetensors", tower_weights(model.vision_tower), dtype)
        LisaTokenizer.from_pretrained(aside)
        _move_into_place(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def read_settings(model: str | Path) -> LisaSettings:
    """Return what a checkpoint's `lisa.json` says, or the defaults of a released one without it.

    Raises as `load_checkpoint` does for a checkpoint that is not there or an unusable `lisa.json`.
    """
    return _read_settings(checkpoint_folder(model))


def write_settings(folder: Path, settings: LisaSettings) -> None:
    """Write the `lisa.json` of a checkpoint folder: aside, flushed, renamed."""
    replace_json(folder / SETTINGS_FILE, settings.to_json())


def _available(device: str | torch.device) -> torch.device:
    try:
        target = torch.device(device)
        torch.empty(0, device=target)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(f"the device {str(device)!r} is not available here: {reason}") from error
    return target


def _read_settings(folder: Path) -> LisaSettings:
    path = folder / SETTINGS_FILE
    return LisaSettings.from_json(read_json(path)) if path.exists() else LisaSettings()


def _ignorable(key: str) -> bool:
    """Say whether a key is the one extra that released files have: a constant of transformers 4."""
    return key.endswith(".rotary_emb.inv_freq")


def _check_tokenizer(tokenizer: LisaTokenizer, config: LisaConfig, shapes: Shapes) -> None:
    """Raise TokenizerError unless every id has one embedding row and the special ids agree."""
    if not shapes.get(_EMBEDDINGS):
        raise CheckpointMismatchError(
            f"the weights have no table {_EMBEDDINGS!r}: not a LISA, or an incomplete one"
        )
    rows = shapes[_EMBEDDINGS][0]
    if len(tokenizer) != rows:
        raise TokenizerError(
            f"the tokenizer has {len(tokenizer)} ids, but {_EMBEDDINGS} has {rows} rows; "
            "use the tokenizer files that belong to these weights"
        )
    ids = {"bos_token_id": tokenizer.bos_id, "eos_token_id": tokenizer.eos_id}
    for name, index in ids.items():
        if getattr(config, name) != index:
            raise TokenizerError(
                f"config.json's {name} is {getattr(config, name)}, the tokenizer's {index}"
            )


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_weights(path: Path, tensors: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    converted = {
        key: tensor.detach()
        .to("cpu", dtype if tensor.is_floating_point() else tensor.dtype)
        .contiguous()
        for key, tensor in tensors.items()
    }
    save_file(converted, path, metadata={"format": "pt"})


def _move_into_place(aside: Path, folder: Path) -> None:
    """Flush everything in `aside` to the disk, then let it replace `folder`."""
    flush_tree(aside)
    if folder.exists():
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as old:
            folder.rename(Path(old) / folder.name)
            aside.rename(folder)
    else:
        aside.rename(folder)
    flush(folder.parent)
