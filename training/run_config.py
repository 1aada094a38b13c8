"""What a training run is told: training/configs/*.yaml, one file for each blessed run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from lisa_ros.errors import ConfigurationError
from training.config import expect
from training.data.set_aside import VAL_SHARE
from training.losses import LossWeights
from training.objective import MaskGrid
from training.sources import Source, SourceGroup, Validation
from training.trainable import LoraSettings


@dataclass(frozen=True)
class Start:
    """The weights that a run starts from: a LISA, or a LLaVA and a SAM that were never joined.

    lisa: a folder, hub id or alias. llava, sam: see `llava_base.lisa_from_llava`, which also reads
    vision_tower. conversation and view: of a LLaVA, and of a released LISA; those of this project
    say them in their lisa.json.
    """

    lisa: str | None = None
    llava: str | None = None
    sam: str | None = None
    vision_tower: str | None = None
    conversation: str = "llava_v1"
    view: str = "center"

    def __post_init__(self) -> None:
        """Refuse anything but one of the two."""
        if (self.lisa is None) == (self.llava is None) or (self.llava is None) != (
            self.sam is None
        ):
            raise ConfigurationError(
                "start: name either `lisa`, a LISA directory to go on with, or both `llava` and "
                "`sam`, to begin as the paper does."
            )
        if self.lisa is not None and self.vision_tower is not None:
            raise ConfigurationError(
                "start: `vision_tower` goes with `llava`. Put the CLIP of a LISA into its folder, "
                "under the last part of the name in its config.json."
            )


@dataclass(frozen=True)
class Optimisation:
    """AdamW and its schedule; the defaults are the paper's (section 4.1 and upstream's code)."""

    learning_rate: float = 3e-4
    betas: tuple[float, ...] = (0.9, 0.95)
    weight_decay: float = 0.0
    warmup_steps: int = 100
    schedule: Literal["linear", "cosine"] = "linear"
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what AdamW or the schedule cannot work with."""
        where, betas = "optimisation", self.betas
        for name in ("learning_rate", "weight_decay"):
            value = getattr(self, name)
            expect(0 <= value < math.inf, f"{where}.{name}", value, "a number, 0 or more")
        shares = len(betas) == 2 and all(0 <= beta < 1 for beta in betas)
        expect(shares, f"{where}.betas", list(betas), "two numbers from 0 to below 1")
        expect(self.warmup_steps >= 0, f"{where}.warmup_steps", self.warmup_steps, "0 or more")
        expect(self.clip_norm > 0, f"{where}.clip_norm", self.clip_norm, "more than 0")


@dataclass(frozen=True)
class DeepSpeedSettings:
    """ZeRO (Rajbhandari et al., 2020): what is split over the ranks, and what waits in RAM.

    zero_stage: 1 the optimizer's state, 2 gradients too, 3 weights too, all but those of the frozen
    vision towers.
    """

    zero_stage: int = 2
    offload_optimizer: bool = False
    offload_weights: bool = False

    def __post_init__(self) -> None:
        """Refuse what DeepSpeed does not have."""
        if self.zero_stage not in (1, 2, 3):
            raise ConfigurationError(
                f"zero_stage is {self.zero_stage}; choose 1, 2 or 3, or `deepspeed: null` to split "
                "nothing."
            )
        if self.offload_weights and self.zero_stage != 3:
            raise ConfigurationError("offload_weights needs zero_stage: 3.")


@dataclass(frozen=True)
class FeatureStore:
    """Where `cache: true` keeps the frozen towers' features, and how much of the disk it takes."""

    folder: str
    max_gb: float

    def __post_init__(self) -> None:
        """Refuse a store that holds nothing."""
        some = 0 < self.max_gb < math.inf
        expect(some, "features.max_gb", self.max_gb, "more than 0; `features: null` keeps none")
        expect(bool(self.folder), "features.folder", repr(self.folder), "a folder to keep them in")


@dataclass(frozen=True)
class RunConfig:
    """A whole run.

    images_per_step is of all ranks together; each rank takes `micro_batch` of them at a time and
    accumulates gradients, so a run is the same on any number of ranks that divides it.
    deepspeed: null trains without DeepSpeed, on weights that every rank holds whole. lora: null
    trains the whole language model. early_mask_share: see `Collator`. head_weight: the weight of a
    `TargetHead` at the first step; it fades to 0 at the last. watched: sets that validations warn
    of when they get worse than they were before the first step: what must not be forgotten.
    """

    out: str
    start: Start
    data: tuple[SourceGroup, ...]
    steps: int
    images_per_step: int = 16
    micro_batch: int = 2
    seed: int = 0
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    optimisation: Optimisation = field(default_factory=Optimisation)
    loss: LossWeights = field(default_factory=LossWeights)
    mask_grid: MaskGrid = "image"
    max_length: int = 257
    lora: LoraSettings | None = field(default_factory=LoraSettings)
    early_mask_share: float = 0.0
    head_weight: float = 0.0
    gradient_checkpointing: bool = False
    deepspeed: DeepSpeedSettings | None = None
    features: FeatureStore | None = None
    validation: Validation | None = None
    watched: tuple[Source, ...] = ()
    save_every: int = 500
    workers: int = 2
    tensorboard: bool = True
    dry_run: bool = False

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        for name in ("steps", "images_per_step", "micro_batch", "save_every", "max_length"):
            expect(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("seed", "workers"):
            expect(0 <= getattr(self, name) < 2**63, name, getattr(self, name), "0 or more")
        weight = self.head_weight
        expect(0 <= weight < math.inf, "head_weight", weight, "a number, 0 or more")
        expect(bool(self.out), "out", repr(self.out), "a folder for what the run makes")
        share = self.early_mask_share
        expect(0 <= share <= 1, "early_mask_share", share, "a share from 0 to 1")
        if self.precision == "fp16" and self.deepspeed is None:
            raise ConfigurationError(
                "fp16 needs DeepSpeed's loss scaling; add `deepspeed: {}` or choose bf16."
            )
        if self.splits_weights and self.lora is not None and self.lora.quantise is not None:
            raise ConfigurationError("4-bit weights cannot be split by ZeRO 3; use zero_stage: 2.")
        if self.watched and self.validation is None:
            raise ConfigurationError("`watched` sets are scored at validations; add `validation`.")
        self._check_conversations()
        cached = [source for source in self._learned() if source.cache]
        if cached and self.features is None:
            raise ConfigurationError(
                f"{cached[0].kind} has `cache: true`, but `features` names no folder to keep them."
            )
        held_out = [*self.watched, *([] if self.validation is None else [self.validation.data])]
        if any(source.cache or source.vary is not None for source in held_out):
            raise ConfigurationError(
                "`cache: true` and `vary` go with `data` only; leave them out elsewhere."
            )

    @property
    def splits_weights(self) -> bool:
        """Whether each rank holds a share of the weights only, as in ZeRO 3."""
        return self.deepspeed is not None and self.deepspeed.zero_stage == 3

    def _learned(self) -> list[Source]:
        return [source for group in self.data for source in group.datasets]

    def _check_conversations(self) -> None:
        """What is learned of LLaVA-Instruct tells nothing of what is forgotten."""
        learned, watched = (
            [source for source in sources if source.kind == "llava_instruct"]
            for sources in (self._learned(), self.watched)
        )
        if not learned or not watched:
            return
        if any(s.split == "val" for s in learned) or any(s.split != "val" for s in watched):
            raise ConfigurationError(
                "The run would learn the conversations of llava_instruct that are `watched`: learn "
                "those of `split: train`, and watch `split: val`."
            )
        shares = {str(s.options.get("val_share", VAL_SHARE)) for s in (*learned, *watched)}
        if len(shares) > 1:
            raise ConfigurationError(
                f"llava_instruct has val_share {' and '.join(sorted(shares))}; give the same "
                "everywhere, else the run learns what it watches."
            )

    def accumulation(self, world: int) -> int:
        """Micro-batches of each rank in a step.

        Raises:
            ConfigurationError: the images of a step cannot be shared evenly.

        """
        together = self.micro_batch * world
        if self.images_per_step % together:
            raise ConfigurationError(
                f"images_per_step {self.images_per_step} is no multiple of micro_batch "
                f"{self.micro_batch} times {world} ranks; choose one."
            )
        return self.images_per_step // together
