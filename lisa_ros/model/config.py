"""The `config.json` of a LISA checkpoint, as a frozen value.

Released files are LLaVA-v1 configs (`model_type` "llava") with LISA's `out_dim`,
`train_mask_decoder` and `vision_tower` added. They say nothing about SAM: its sizes come from the
weights (`sam_config`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from lisa_ros.errors import CheckpointMismatchError
from lisa_ros.model.json_files import check_depth, check_positive, typed_field

# LLaVA-1's, which released LISAs have, and LLaVA-1.5's two layers.
PROJECTOR_TYPES = ("linear", "mlp2x_gelu")


@dataclass(frozen=True)
class LisaConfig:
    """Sizes and ids of the language model and of its connection to the vision tower.

    The names are those of `config.json`. `vision_tower` is a folder inside the checkpoint, a path
    or a hub id. `other` keeps the fields this package has no use for, so that an export still has
    them.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int
    rms_norm_eps: float
    out_dim: int
    mm_hidden_size: int
    vision_tower: str
    num_key_value_heads: int | None = None
    hidden_act: str = "silu"
    initializer_range: float = 0.02
    rope_theta: float = 10000.0
    rope_scaling: Mapping[str, Any] | None = None
    bos_token_id: int = 1
    eos_token_id: int = 2
    pad_token_id: int = 0
    mm_projector_type: str = "linear"
    mm_use_im_start_end: bool = True
    mm_vision_select_layer: int = -2
    mm_vision_select_feature: str = "patch"
    train_mask_decoder: bool = True
    other: Mapping[str, Any] = field(default_factory=dict, compare=False)

    _SIZES: ClassVar[tuple[str, ...]] = (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "max_position_embeddings",
        "out_dim",
        "mm_hidden_size",
        "rms_norm_eps",
        "rope_theta",
    )
    _FIXED: ClassVar[Mapping[str, Any]] = {
        "architectures": ["LISAForCausalLM"],
        "model_type": "llava",
        "tie_word_embeddings": False,
        "use_cache": False,
    }

    def __post_init__(self) -> None:
        """Check what a wrong value would only show much later, far from its cause."""
        if self.num_key_value_heads is None:
            object.__setattr__(self, "num_key_value_heads", self.num_attention_heads)
        check_positive("config.json", self, self._SIZES)
        check_depth("config.json", self.num_hidden_layers)
        if self.mm_projector_type not in PROJECTOR_TYPES:
            raise CheckpointMismatchError(
                f"config.json: mm_projector_type is {self.mm_projector_type!r}; supported are "
                f"{' and '.join(map(repr, PROJECTOR_TYPES))}"
            )
        if not self.mm_use_im_start_end:
            raise CheckpointMismatchError(
                "config.json: mm_use_im_start_end is false; only models whose image stands between "
                "<im_start> and <im_end> are supported, as every released LISA's does"
            )
        if self.mm_vision_select_feature not in ("patch", "cls_patch"):
            raise CheckpointMismatchError(
                f"config.json: mm_vision_select_feature is {self.mm_vision_select_feature!r}; "
                "expected 'patch' or 'cls_patch'"
            )
        for whole, part in (
            ("hidden_size", "num_attention_heads"),
            ("num_attention_heads", "num_key_value_heads"),
        ):
            if getattr(self, whole) % getattr(self, part):
                raise CheckpointMismatchError(
                    f"config.json: {whole} {getattr(self, whole)} is not a multiple of "
                    f"{part} {getattr(self, part)}"
                )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LisaConfig:
        """Read the fields of a parsed `config.json`; unknown ones are kept in `other`.

        Raises:
            CheckpointMismatchError: a needed field is missing or has the wrong type; names it.

        """
        data = dict(data)
        tower = data.pop("mm_vision_tower", None)
        data["vision_tower"] = data.get("vision_tower") or tower
        values: dict[str, Any] = {}
        for spec in dataclasses.fields(cls):
            if spec.name == "other":
                continue
            value = data.pop(spec.name, None)
            if value is not None:
                values[spec.name] = typed_field("config.json", spec, value)
            elif spec.default is dataclasses.MISSING:
                raise CheckpointMismatchError(
                    f"config.json has no {spec.name!r}; is this the config of a LISA checkpoint?"
                )
        other = {name: value for name, value in data.items() if name not in cls._FIXED}
        return cls(**values, other=other)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as upstream writes them; `from_json` of it gives this value back."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values.pop("other")
        values["mm_vision_tower"] = self.vision_tower
        return dict(sorted({**self.other, **self._FIXED, **values}.items()))
