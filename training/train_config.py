"""What a training run is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.losses import LossWeights


@dataclass(frozen=True)
class TrainConfig:
    """See training/configs/lisa-tiny.yaml. init: a checkpoint folder. rooms, out: folders."""

    init: str
    rooms: str
    out: str
    steps: int
    images_per_step: int
    requests_per_image: int
    absent_share: float
    learning_rate: float
    warmup_steps: int = 100
    precision: str = "bf16"
    bare_answer_share: float = 0.4
    loss: LossWeights = field(default_factory=LossWeights)
    target_weight: float = 0.0
    save_every: int = 500
    seed: int = 0
    max_rooms: int | None = None
