"""Learning-rate schedules, as factors of the peak rate."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["linear", "cosine"]


def warmup_cosine(step: int, warmup_steps: int, total_steps: int, floor: float = 0.01) -> float:
    """Linear from 0 over `warmup_steps`, then half a cosine from 1 to `floor` at `total_steps`."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def warmup_linear(step: int, warmup_steps: int, total_steps: int) -> float:
    """Linear from 0 over `warmup_steps`, then linear from 1 to 0 at `total_steps`."""
    if step < warmup_steps:
        return step / warmup_steps
    return max(0.0, (total_steps - step) / max(1, total_steps - warmup_steps))


def factor(schedule: Schedule, step: int, warmup_steps: int, total_steps: int) -> float:
    """The factor of a step by the schedule's name."""
    if schedule == "cosine":
        return warmup_cosine(step, warmup_steps, total_steps)
    return warmup_linear(step, warmup_steps, total_steps)
