"""What lisa-tiny's vision towers are pre-trained to tell: losses, and heads dropped afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lisa_ros.model.sam import Sam
from lisa_ros.simulation.room import Room
from training.data.labels import masks_in_sam_frame
from training.losses import bce_sum, dice_sum, mean_over_masks
from training.mask_batch import decode_batch

BACKGROUND_WEIGHT = 0.3  # most of an image is table and wall


class DenseHead(nn.Module):
    """Kind and colour for upscale × upscale sub-cells of each cell; index 0 is "neither"."""

    def __init__(self, channels: int, n_kinds: int, n_colors: int, upscale: int) -> None:
        super().__init__()
        self.upscale = upscale
        self.sizes = (n_kinds + 1, n_colors + 1)
        self.project = nn.Conv2d(channels, sum(self.sizes) * upscale**2, 1)
        self.shuffle = nn.PixelShuffle(upscale)

    def loss(self, features: Tensor, labels: Tensor) -> Tensor:
        """[B,C,g,g], i64[B,2,g·upscale,g·upscale] → the sum of both cross-entropies."""
        kinds, colors = self.shuffle(self.project(features)).float().split(self.sizes, dim=1)
        return _weighted(kinds, labels[:, 0]) + _weighted(colors, labels[:, 1])


def _weighted(logits: Tensor, labels: Tensor) -> Tensor:
    weight = torch.ones(logits.shape[1], device=logits.device)
    weight[0] = BACKGROUND_WEIGHT
    return F.cross_entropy(logits, labels, weight)


@dataclass(frozen=True)
class Clicks:
    """Points on objects of one image and what they mean.

    points: f32[S,1,2] as (x, y) in SAM's padded frame, px. masks: bool[S,H,W] of the clicked
    objects.
    """

    points: Tensor
    masks: Tensor

    def to(self, device: torch.device) -> Clicks:
        """The same on another device."""
        return Clicks(self.points.to(device), self.masks.to(device))


def draw_clicks(room: Room, n: int, side: int, rng: np.random.Generator) -> Clicks | None:
    """Click `n` times on random pixels of visible objects; None in a room without objects."""
    present = [thing.id for thing in room.objects if np.any(room.instances == thing.id)]
    if not present:
        return None
    scale = side / max(room.instances.shape)
    points, masks = [], []
    for chosen in rng.choice(present, size=n):
        mask = room.instances == chosen
        v, u = np.argwhere(mask)[rng.integers(np.count_nonzero(mask))]
        points.append([[(u + 0.5) * scale, (v + 0.5) * scale]])
        masks.append(mask)
    return Clicks(torch.tensor(points, dtype=torch.float32), torch.from_numpy(np.stack(masks)))


def click_loss(sam: Sam, embeddings: Tensor, clicks: Sequence[Clicks | None]) -> Tensor:
    """BCE + dice of the masks that SAM's decoder gives for single clicks; embeddings: [B,C,g,g]."""
    numbered = [(image, c) for image, c in enumerate(clicks) if c is not None]
    if not numbered:
        return embeddings.sum() * 0.0
    points = torch.cat([c.points for _, c in numbered])
    image_of = torch.cat(
        [torch.full((len(c.points),), image, device=c.points.device) for image, c in numbered]
    )
    labels = torch.ones(points.shape[:2], device=points.device)
    sparse, _ = sam.prompt_encoder(points=(points, labels), boxes=None, masks=None)
    logits = decode_batch(sam, embeddings, image_of, sparse)
    target = torch.cat([masks_in_sam_frame(c.masks, logits.shape[-1]) for _, c in numbered])
    return mean_over_masks(5 * bce_sum(logits, target) + dice_sum(logits, target), len(target))
