"""The vision tower: CLIP's patch features as LLaVA takes them.

LISA checkpoints do not contain its weights; `vision_files` finds and loads them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from lisa_ros.errors import CheckpointMismatchError, ModelError
from lisa_ros.model.json_files import buildable, check_depth, check_positive, typed_field


@dataclass(frozen=True)
class ClipConfig:
    """Sizes of a CLIP vision transformer; the defaults are transformers' (CLIPVisionConfig)."""

    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    image_size: int = 224
    patch_size: int = 32
    projection_dim: int = 512
    num_channels: int = 3
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5
    attention_dropout: float = 0.0
    initializer_range: float = 0.02
    initializer_factor: float = 1.0

    _SIZES: ClassVar[tuple[str, ...]] = (
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "image_size",
        "patch_size",
        "projection_dim",
        "num_channels",
        "layer_norm_eps",
    )

    def __post_init__(self) -> None:
        """Refuse sizes that are none, or do not divide."""
        check_positive("the vision tower's config.json", self, self._SIZES)
        check_depth("the vision tower's config.json", self.num_hidden_layers)
        if self.hidden_size % self.num_attention_heads or self.image_size % self.patch_size:
            raise CheckpointMismatchError(
                f"CLIP's hidden_size {self.hidden_size} / heads {self.num_attention_heads} and "
                f"image_size {self.image_size} / patch_size {self.patch_size} must be whole numbers"
            )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ClipConfig:
        """Read a `config.json` of a whole CLIP (its `vision_config`) or of a vision model alone.

        Raises:
            CheckpointMismatchError: not a CLIP config, or a field has the wrong type; names it.

        """
        vision = data.get("vision_config", data)
        kind = data.get("model_type")
        if kind not in ("clip", "clip_vision_model") or not isinstance(vision, Mapping):
            raise CheckpointMismatchError(
                f"the vision tower's config.json has model_type {kind!r}; expected 'clip' or "
                "'clip_vision_model'"
            )
        source = "the vision tower's config.json"
        return cls(
            **{
                field.name: typed_field(source, field, vision[field.name])
                for field in dataclasses.fields(cls)
                if vision.get(field.name) is not None
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return the `config.json` of a vision model alone."""
        fixed = {"architectures": ["CLIPVisionModel"], "model_type": "clip_vision_model"}
        return dict(sorted({**dataclasses.asdict(self), **fixed}.items()))


class ClipVisionTower(nn.Module):
    """CLIP's hidden states of one layer, without the class token.

    The tower moves with the model that holds it but is not part of that model's state dict, as in
    released checkpoints; `clip` holds the weights. Their names differ between transformers 4 and 5
    (a `vision_model.` prefix); see `plain_name`.
    """

    def __init__(
        self, config: ClipConfig, select_layer: int = -2, select_feature: str = "patch"
    ) -> None:
        super().__init__()
        self.config = config
        self.select_layer = select_layer
        self.select_feature = select_feature
        if not -config.num_hidden_layers - 1 <= select_layer <= config.num_hidden_layers:
            raise CheckpointMismatchError(
                f"mm_vision_select_layer is {select_layer}; the vision tower has "
                f"{config.num_hidden_layers} layers"
            )
        sizes = {**dataclasses.asdict(config), "attn_implementation": "sdpa"}
        with buildable("the vision tower's config.json"):
            self.clip = CLIPVisionModel(CLIPVisionConfig(**sizes))

    @property
    def num_image_tokens(self) -> int:
        """How many positions of the language model one image takes."""
        patches = (self.config.image_size // self.config.patch_size) ** 2
        return patches if self.select_feature == "patch" else patches + 1

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Return features [B,N,C] of normalised pixels [B,3,h,w] of the tower's own size."""
        size = self.config.image_size
        if pixel_values.ndim != 4 or tuple(pixel_values.shape[1:]) != (3, size, size):
            raise ModelError(
                f"CLIP's input must be [B,3,{size},{size}], got {list(pixel_values.shape)}"
            )
        states = self.clip(pixel_values, output_hidden_states=True).hidden_states
        features: Tensor = states[self.select_layer]
        return features[:, 1:] if self.select_feature == "patch" else features

    def state_dict(self, *args: Any, destination: dict | None = None, **kwargs: Any) -> Any:
        """Return nothing of the tower: the state dict of a LISA has no vision tower."""
        return {} if destination is None else destination


def plain_name(name: str) -> str:
    """Return a weight's name without the prefix that transformers 4 and published files have."""
    return name.removeprefix("vision_model.")
