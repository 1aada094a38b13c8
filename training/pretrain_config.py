"""What a pre-training of the vision towers is told."""

from __future__ import annotations

from dataclasses import dataclass

from training.scratch import Sizes


@dataclass(frozen=True)
class PretrainConfig:
    """See training/configs/lisa-tiny-pretrain.yaml. `rooms`, `out` and `init` are folders."""

    rooms: str
    out: str
    sizes: Sizes
    vocab_size: int
    conversation: str
    steps: int
    images_per_step: int
    points_per_image: int
    learning_rate: float
    warmup_steps: int = 100
    precision: str = "bf16"
    seed: int = 0
    max_rooms: int | None = None
    init: str | None = None
    save_every: int = 200
