"""A temporary head that gives a language model from nothing its first push."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from lisa_ros.simulation.kinds import KINDS
from lisa_ros.simulation.material import COLORS
from training.losses import IGNORE_INDEX


class TargetHead(nn.Module):
    """Tells kind and colour of the target from its `[SEG]` embedding, while training.

    A language model from nothing gets no word of the question into the embedding until the decoder
    makes use of it, and the decoder has nothing to use until then. This gives the first push; the
    head is dropped afterwards. A LISA that starts from LLaVA does not need it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.kinds = nn.Linear(channels, len(KINDS))
        self.colors = nn.Linear(channels, len(COLORS))

    def loss(self, embeddings: Tensor, kinds: Tensor, colors: Tensor) -> Tensor:
        """[S,C], i64[S], i64[S] → the sum of both mean cross-entropies; 0 without a label."""
        total = embeddings.sum() * 0.0
        for head, labels in ((self.kinds, kinds), (self.colors, colors)):
            known = labels != IGNORE_INDEX
            if known.any():
                total = total + F.cross_entropy(head(embeddings[known]).float(), labels[known])
        return total
