"""The losses of LISA (paper section 3.3), computed as upstream does.

Total = ce · CE + bce · BCE + dice · Dice, by default 1, 2 and 0.5. Masks enter at the resolution at
which they are given; upstream uses the image's original one.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from training.config import expect

IGNORE_INDEX = -100
# Upstream divides both sums by this before adding eps, which fixes how much eps weighs on tiny
# masks.
_DICE_SCALE = 1000.0
_DICE_EPS = 1e-6
_COUNT_EPS = 1e-8


@dataclass(frozen=True)
class LossWeights:
    """Factors of the three parts."""

    ce: float = 1.0
    bce: float = 2.0
    dice: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what would make every loss no number, or reward mistakes."""
        for name, weight in dataclasses.asdict(self).items():
            expect(0 <= weight < math.inf, f"loss.{name}", weight, "a number, 0 or more")

    def total(self, parts: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the parts that bear these names."""
        return self.ce * parts["ce"] + self.bce * parts["bce"] + self.dice * parts["dice"]


def answer_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over all supervised tokens of the batch; 0 for no tokens.

    logits: [..., V] of the states that predict; labels: [...] the ids they should predict,
    IGNORE_INDEX elsewhere.
    """
    if not labels.numel():  # every answer was cut off; the mean of nothing is no number
        return logits.float().sum()
    return F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]).float(), labels.reshape(-1), ignore_index=IGNORE_INDEX
    )


def bce_sum(mask_logits: Tensor, targets: Tensor) -> Tensor:
    """Sum over masks of the per-mask mean binary cross-entropy; both [S,H,W], targets in 0..1."""
    loss = F.binary_cross_entropy_with_logits(
        mask_logits.float(), targets.float(), reduction="none"
    )
    return loss.flatten(1).mean(1).sum()


def dice_sum(mask_logits: Tensor, targets: Tensor) -> Tensor:
    """Sum over masks of 1 - (2·|A∩B| + eps) / (|A| + |B| + eps), A = sigmoid(logits) [S,H,W]."""
    probability = mask_logits.float().sigmoid().flatten(1)
    target = targets.float().flatten(1)
    overlap = 2 * (probability * target).sum(1) / _DICE_SCALE
    total = (probability.sum(1) + target.sum(1)) / _DICE_SCALE
    return (1 - (overlap + _DICE_EPS) / (total + _DICE_EPS)).sum()


def mean_over_masks(total: Tensor, count: int) -> Tensor:
    """Divide a sum over masks by their number, zero masks included (upstream's epsilon)."""
    return total / (count + _COUNT_EPS)
