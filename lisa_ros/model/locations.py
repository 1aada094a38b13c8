"""Where a model id leads: an alias of a shipped checkpoint, a folder, or a hub repository."""

from __future__ import annotations

import os
import re
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError

from lisa_ros.errors import CheckpointNotFoundError

ALIASES = {"lisa-tiny": Path(__file__).resolve().parents[1] / "assets" / "lisa-tiny"}

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_SMALL_FILES = ["*.json", "*.model"]


def checkpoint_folder(model: str | Path) -> Path:
    """Return the local folder of a checkpoint, downloading one that is named by a hub id.

    Raises:
        CheckpointNotFoundError: neither an alias, nor a folder, nor a repository within reach.

    """
    folder = _named_folder(model)
    return _download(str(model)) if folder is None else folder


def local_folder(model: str | Path) -> Path | None:
    """Return where a checkpoint is, as `checkpoint_folder`, but None where it has to be fetched.

    Raises:
        CheckpointNotFoundError: neither an alias, nor a folder, nor a hub id.

    """
    folder = _named_folder(model)
    return _downloaded(str(model)) if folder is None else folder


def checkpoint_name(model: str | Path) -> str:
    """Return what to call a checkpoint: the alias or hub id as it was given, a folder's own name.

    A hub id leads to a folder that is named by a hash, and "." has no name in it.
    """
    name = str(model)
    folder = Path(name).expanduser()
    return Path(os.path.abspath(folder)).name if folder.is_dir() and name not in ALIASES else name


def vision_tower_folder(checkpoint: Path, vision_tower: str) -> Path:
    """Return the folder of the vision tower that a config names.

    A folder inside the checkpoint comes first, under the name itself or its last part (so that a
    checkpoint that names a hub id can carry its tower along), then a path, then the hub.

    Raises:
        CheckpointNotFoundError: none of them exists.

    """
    folder = _tower_folder(checkpoint, vision_tower)
    if folder is not None:
        return folder
    if _HUB_ID.fullmatch(vision_tower):
        return _download(vision_tower)
    raise CheckpointNotFoundError(
        f"the vision tower {vision_tower!r} is neither a folder inside {checkpoint} nor a path nor "
        "a hub id; copy the CLIP that the checkpoint was trained with there"
    )


def local_vision_tower(checkpoint: Path, vision_tower: str) -> Path | None:
    """Return the folder of a vision tower as `vision_tower_folder`; None where it is not here."""
    folder = _tower_folder(checkpoint, vision_tower)
    if folder is None and _HUB_ID.fullmatch(vision_tower):
        return _downloaded(vision_tower)
    return folder


def _named_folder(model: str | Path) -> Path | None:
    """Return the folder that an alias or a path names; None for a hub id."""
    name = str(model)
    folder = ALIASES.get(name, Path(name).expanduser())
    if folder.is_dir():
        return folder
    if name in ALIASES:
        raise CheckpointNotFoundError(
            f"{name} is not part of this installation: {folder} is missing"
        )
    if folder.exists():
        raise CheckpointNotFoundError(f"{name} is a file; expected the folder of a checkpoint")
    if _HUB_ID.fullmatch(name):
        return None
    raise CheckpointNotFoundError(
        f"there is no checkpoint {name!r}; give a folder, a hub id (owner/name), or one of "
        f"{', '.join(ALIASES)}"
    )


def _tower_folder(checkpoint: Path, vision_tower: str) -> Path | None:
    name = Path(vision_tower)
    inside = (
        [checkpoint / name.name]
        if name.is_absolute()
        else [checkpoint / name, checkpoint / name.name]
    )
    folders = [*inside, name.expanduser()]
    return next((folder for folder in folders if (folder / "config.json").is_file()), None)


def _downloaded(hub_id: str) -> Path | None:
    """Return where the hub's cache has a repository; None where it has not."""
    try:
        return Path(snapshot_download(hub_id, local_files_only=True))
    except (OSError, HFValidationError):
        return None


def _download(hub_id: str) -> Path:
    """Fetch a repository into the hub's cache: safetensors, `.bin` only where there are none."""
    try:
        folder = Path(snapshot_download(hub_id, allow_patterns=[*_SMALL_FILES, "*.safetensors"]))
        if not any(folder.glob("*.safetensors")):
            snapshot_download(hub_id, allow_patterns=[*_SMALL_FILES, "*.bin"])
    except (OSError, HFValidationError) as error:
        raise CheckpointNotFoundError(
            f"{hub_id!r} is neither a local folder nor a repository that can be fetched: {error}"
        ) from error
    return folder
