"""How many parameters a LISA has, and how many of them learn; no weights are needed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from lisa_ros.model.checkpoint import LoadedLisa
from lisa_ros.model.clip import ClipConfig
from lisa_ros.model.config import LisaConfig
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.sam_config import SamConfig
from training.frozen_towers import towers_of
from training.scratch import ClipSizes, LlmSizes, SamSizes, Sizes, configs_of
from training.trainable import LoraSettings, choose_trainable

_NEW_TOKENS = 3  # [SEG], <im_start>, <im_end>
_LLAMA_PIECES = 32_000


@dataclass(frozen=True)
class ModelSizes:
    """The sizes of the three networks in a LISA."""

    language: LisaConfig
    sam: SamConfig
    clip: ClipConfig

    @property
    def image_tokens(self) -> int:
        """Positions of the language model that one image takes."""
        return (self.clip.image_size // self.clip.patch_size) ** 2


@dataclass(frozen=True)
class ParameterCounts:
    """Numbers of parameters.

    quantised: frozen in 4 bits. frozen: others that do not learn. towers: of those, SAM's image
    encoder and CLIP. largest: of the largest parameter among those that learn.
    """

    learning: int
    frozen: int
    quantised: int
    towers: int
    largest: int

    @property
    def all(self) -> int:
        """Every parameter, adapters included."""
        return self.learning + self.frozen + self.quantised


def sizes_of(loaded: LoadedLisa) -> ModelSizes:
    """The sizes of a checkpoint, which may be on the meta device."""
    return ModelSizes(loaded.config, loaded.model.sam.config, loaded.model.vision_tower.config)


def count_parameters(sizes: ModelSizes, lora: LoraSettings | None) -> ParameterCounts:
    """Count on a network without memory, in which the same parameters learn as in a run."""
    with torch.device("meta"):
        model = LisaForCausalLM(sizes.language, sizes.sam, sizes.clip)
        quantised = 0
        if lora is not None and lora.quantise is not None:
            maps = (m for m in model.model.layers.modules() if isinstance(m, nn.Linear))
            quantised = sum(each.weight.numel() for each in maps)
        rows = sizes.language.vocab_size
        choose_trainable(model, lora, range(rows - _NEW_TOKENS, rows))
    learning = [p.numel() for p in model.parameters() if p.requires_grad]
    total = sum(p.numel() for p in model.parameters())
    return ParameterCounts(
        learning=sum(learning),
        frozen=total - sum(learning) - quantised,
        quantised=quantised,
        towers=sum(p.numel() for tower in towers_of(model) for p in tower.parameters()),
        largest=max(learning),
    )


def _released(llm: LlmSizes) -> ModelSizes:
    """A released LISA: this LLaMA, CLIP ViT-L/14 at 224 px, SAM ViT-H."""
    clip = ClipSizes(224, 14, 1024, 4096, 24, 16)
    sam = SamSizes(1024, 16, 1280, 32, 16, 5120, 14, (7, 15, 23, 31), 256, 2048)
    vocabulary = _LLAMA_PIECES + _NEW_TOKENS
    return ModelSizes(
        *configs_of(Sizes(llm, clip, sam), vocabulary, "openai/clip-vit-large-patch14")
    )


PUBLISHED = {
    "lisa-7b": _released(LlmSizes(4096, 11008, 32, 32, 2048)),
    "lisa-13b": _released(LlmSizes(5120, 13824, 40, 40, 2048)),
}
