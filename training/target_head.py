"""A temporary head that gives a language model from nothing its first push."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lisa_ros.simulation.kinds import KINDS
from lisa_ros.simulation.material import COLORS
from lisa_ros.simulation.room import Room
from training.data.labels import in_letterbox_frame, label_planes
from training.losses import IGNORE_INDEX

# Where a target is, is told on a grid of this many cells a side over SAM's square frame.
CELLS = 8
_KINDS, _COLORS = list(KINDS), list(COLORS)


class TargetHead(nn.Module):
    """Tells kind, colour and place from an embedding, while training.

    A language model from nothing gets no word of the question into the `[SEG]` embedding until the
    decoder makes use of it, and the decoder has nothing to use until then; and since the decoder
    finds things by itself, nothing but the rare yes or no makes the language model look at the
    image. So the head asks the `[SEG]` embedding what its target is and where, and the state of
    each image token what its patch shows: then words and patches mean the same by the same numbers.
    It is dropped afterwards. A LISA that starts from LLaVA does not need it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Linear(channels, n) for n in (len(_KINDS), len(_COLORS), CELLS**2)
        )

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """[S,C], i64[S,3] of `target_labels` → the sum of the mean cross-entropies.

        IGNORE_INDEX is left out; a column without any label costs nothing.
        """
        total = embeddings.sum() * 0.0
        for head, column in zip(self.heads, labels.T, strict=True):
            known = column != IGNORE_INDEX
            logits = head(embeddings[known]).float()
            costs = F.cross_entropy(logits, column[known]) if known.any() else logits.sum()
            total = total + costs
        return total


def target_labels(room: Room, object_id: int) -> tuple[int, int, int]:
    """Kind, colour (IGNORE_INDEX where it has no name) and cell of a visible object."""
    (target,) = [thing for thing in room.objects if thing.id == object_id]
    color = IGNORE_INDEX if target.color is None else _COLORS.index(target.color)
    assert target.center_px is not None, "a target is visible"
    side = max(room.instances.shape)
    column, row = (int(CELLS * (place + 0.5) / side) for place in target.center_px)
    return _KINDS.index(target.kind), color, row * CELLS + column


def shown_labels(room: Room) -> Tensor:
    """i64[3,H,W]: 1 + kind, colour and cell of what each pixel shows, 0 where nothing is."""
    planes = label_planes(room, tuple(KINDS), tuple(COLORS))
    side = max(room.instances.shape)
    rows, columns = torch.from_numpy(np.indices(room.instances.shape))
    cell = (CELLS * (rows + 0.5) / side).long() * CELLS + (CELLS * (columns + 0.5) / side).long()
    return torch.cat([planes, torch.where(planes[:1] > 0, cell + 1, 0)])


def patch_labels(shown: Tensor, grid: int) -> Tensor:
    """i64[grid²,3] of the letterbox view's patches, from `shown_labels`; IGNORE_INDEX for 0."""
    labels = in_letterbox_frame(shown, grid).flatten(1).T
    return torch.where(labels > 0, labels - 1, IGNORE_INDEX)
