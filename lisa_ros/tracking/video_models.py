"""Loading the video models that `Sam2Source` works with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from lisa_ros.errors import (
    CheckpointCorruptError,
    CheckpointError,
    CheckpointMismatchError,
)
from lisa_ros.inference.devices import device_named, dtype_named
from lisa_ros.model.json_files import read_json
from lisa_ros.model.locations import checkpoint_folder

# By model_type of config.json: the names of the model and its session in transformers.
_FAMILIES = {
    "sam2_video": ("Sam2VideoModel", "Sam2VideoInferenceSession"),
    "edgetam_video": ("EdgeTamVideoModel", "EdgeTamVideoInferenceSession"),
}


def load_video_model(
    model: str | Path, device: str = "cpu", dtype: str = "float32"
) -> tuple[Any, Any]:
    """Load a SAM 2 or EdgeTAM video model from a folder or a hub id in transformers' format.

    device, dtype: as for `LisaEngine.from_pretrained`. Returns (model, class of its sessions), the
    arguments of `Sam2Source`. Raises CheckpointError or a child of it, DeviceError.
    """
    target = device_named(device)
    folder = checkpoint_folder(model)
    network, session = _classes(folder)
    try:
        loaded, info = network.from_pretrained(
            folder,
            dtype=dtype_named(dtype, target),
            local_files_only=True,
            output_loading_info=True,
        )
    except ImportError as error:
        raise CheckpointError(
            f"{model} needs a package that is not installed: {error}. EdgeTAM's image encoder "
            "comes from timm (pip install timm); SAM 2 needs nothing else."
        ) from error
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointCorruptError(f"{model} cannot be loaded: {error}") from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise CheckpointMismatchError(
            f"{model} lacks {len(missing)} weights of a {network.__name__}, such as {missing[0]}; "
            "get the checkpoint again."
        )
    return loaded.eval().to(target), session


def _classes(folder: Path) -> tuple[Any, Any]:
    path = folder / "config.json"
    kind = read_json(path).get("model_type")
    if kind not in _FAMILIES:
        raise CheckpointMismatchError(
            f"{path} is of model_type {kind!r}; expected a video model: {', '.join(_FAMILIES)}."
        )
    import transformers

    network, session = _FAMILIES[kind]
    return getattr(transformers, network), getattr(transformers, session)
