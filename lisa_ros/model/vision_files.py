"""Reading and writing the vision tower's folder: config, preprocessing, weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from lisa_ros.errors import CheckpointMismatchError
from lisa_ros.model.clip import ClipConfig, ClipVisionTower, plain_name
from lisa_ros.model.json_files import read_json
from lisa_ros.model.preprocess import ClipProcessor
from lisa_ros.model.weight_files import (
    check_keys,
    find_weight_files,
    load_into,
    read_shapes,
)

# Of a whole CLIP's file, what is not the vision tower; position_ids is a constant that old versions
# stored.
_OTHER_PARTS = ("text_model.", "text_projection.", "visual_projection.", "logit_scale")
_POSITION_IDS = "embeddings.position_ids"


def read_clip_config(folder: Path) -> tuple[ClipConfig, ClipProcessor]:
    """Return the tower's sizes and its preprocessing, which must agree about the input's size."""
    config = ClipConfig.from_json(read_json(folder / "config.json"))
    preprocessing = folder / "preprocessor_config.json"
    processor = ClipProcessor.from_config(read_json(preprocessing))
    if processor.size != config.image_size:
        raise CheckpointMismatchError(
            f"{preprocessing} crops to {processor.size} px, but the vision tower takes "
            f"{config.image_size} px"
        )
    return config, processor


def load_vision_tower(
    tower: ClipVisionTower, folder: Path, device: torch.device, dtype: torch.dtype
) -> None:
    """Fill a tower on the meta device from its folder; a file of a whole CLIP is accepted.

    With "meta" as device, too, everything is checked, and no weights are read.

    Raises:
        CheckpointNotFoundError, CheckpointCorruptError, CheckpointMismatchError: naming the file or
        key.

    """
    files = find_weight_files(folder)
    own = {plain_name(name): name for name in tower.clip.state_dict()}
    found = {name: shape for name, shape in read_shapes(files).items() if _belongs(name)}
    expected = {plain: tuple(tower.clip.state_dict()[name].shape) for plain, name in own.items()}
    check_keys(expected, {plain_name(name): shape for name, shape in found.items()}, folder)
    if device.type == "meta":
        return
    load_into(tower.clip, files, lambda name: own.get(plain_name(name)), device, dtype)
    for module in tower.clip.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if name == "position_ids":
                positions = torch.arange(buffer.shape[-1], device=device)
                module.register_buffer(name, positions[None], persistent=False)


def tower_weights(tower: ClipVisionTower) -> dict[str, Tensor]:
    """Return the weights under the names of published CLIP files (`vision_model....`)."""
    return {
        f"vision_model.{plain_name(name)}": tensor
        for name, tensor in tower.clip.state_dict().items()
    }


def preprocessor_json(processor: ClipProcessor) -> dict[str, object]:
    """Return a `preprocessor_config.json` for `ClipProcessor.from_config` and transformers."""
    return {
        "crop_size": processor.size,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "image_mean": list(processor.mean),
        "image_processor_type": "CLIPImageProcessor",
        "image_std": list(processor.std),
        "resample": 3,
        "size": {"shortest_edge": processor.size},
    }


def _belongs(name: str) -> bool:
    return not name.startswith(_OTHER_PARTS) and plain_name(name) != _POSITION_IDS
