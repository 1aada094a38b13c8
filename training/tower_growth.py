"""Vision towers that go on from smaller ones: larger images, more layers."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.lisa import LisaForCausalLM

_POSITIONS = "embeddings.position_embedding.weight"


def take_towers(model: LisaForCausalLM, earlier: LisaForCausalLM) -> None:
    """Give `model` the SAM and the CLIP of `earlier`; both are changed nowhere else.

    CLIP's position embeddings are resized to the model's grid of patches, bicubically; layers that
    the earlier CLIP lacks keep the weights they have.

    Raises:
        ConfigurationError: the sizes differ in more than CLIP's image size and number of layers.

    """
    ours, theirs = model.vision_tower.clip.state_dict(), earlier.vision_tower.clip.state_dict()
    (positions,) = (name for name in theirs if name.endswith(_POSITIONS))
    theirs[positions] = _resized(theirs[positions], len(ours[positions]))
    if not theirs.keys() <= ours.keys():
        raise ConfigurationError("`init` has more CLIP layers than `sizes.clip` asks for.")
    parts = (
        ("sam", model.sam.state_dict(), earlier.sam.state_dict()),
        ("clip", ours, ours | theirs),
    )
    for part, wanted, given in parts:
        for name in sorted(wanted.keys() ^ given.keys()):
            raise ConfigurationError(f"`init` and `sizes.{part}` differ: only one has {name}.")
        for name, value in wanted.items():
            if value.shape != given[name].shape:
                raise ConfigurationError(
                    f"`init` and `sizes.{part}` differ: {name} has the shape "
                    f"{tuple(given[name].shape)}, wanted {tuple(value.shape)}."
                )
    model.sam.load_state_dict(earlier.sam.state_dict())
    model.vision_tower.clip.load_state_dict(ours | theirs)


def _resized(positions: Tensor, rows: int) -> Tensor:
    """f32[1+g², C] → f32[rows, C]; the class token's row comes first and stays."""
    grid, wanted = math.isqrt(len(positions) - 1), math.isqrt(rows - 1)
    if grid == wanted:
        return positions
    plane = positions[1:].T.reshape(1, -1, grid, grid)
    plane = F.interpolate(plane, (wanted, wanted), mode="bicubic", align_corners=False)
    return torch.cat([positions[:1], plane[0].flatten(1).T])
