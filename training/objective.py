"""What LISA's training minimises, for a batch of images from any dataset."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from lisa_ros.model.lisa import LisaForCausalLM
from training.collate import ImageBatch
from training.data.labels import masks_in_sam_frame
from training.losses import IGNORE_INDEX, answer_cross_entropy, bce_sum, dice_sum, mean_over_masks
from training.mask_batch import decode_batch
from training.packed_forward import packed_hidden_states

MaskGrid = Literal["image", "decoder"]


class LisaObjective(nn.Module):
    """The model with its losses; a module, so that a training engine can wrap it.

    mask_grid: where masks are compared. "image" is upstream's: logits are brought to the size of
    each image. "decoder" compares on the decoder's own grid with the covered share of each cell, a
    fraction of the work for small models.
    """

    def __init__(
        self, model: LisaForCausalLM, prefix: tuple[int, ...], mask_grid: MaskGrid = "image"
    ) -> None:
        super().__init__()
        self.model = model
        self.mask_grid = mask_grid
        self.register_buffer("prefix", torch.tensor(prefix), persistent=False)

    def forward(
        self, batch: ImageBatch, sam_embeddings: Tensor, clip_features: Tensor
    ) -> dict[str, Tensor]:
        """The parts of the loss, unweighted.

        sam_embeddings: [B,C,g,g] and clip_features: [B,N,C'], what the frozen towers make of the
        batch.
        """
        questions = batch.questions
        prefix = self.get_buffer("prefix")
        _, hidden = packed_hidden_states(self.model, prefix, questions, clip_features)
        supervised = questions.targets != IGNORE_INDEX
        logits = self.model.logits(hidden[supervised])
        embeddings = self.model.seg_embeddings(hidden[questions.seg_rows, questions.seg_columns])
        low_res = decode_batch(
            self.model.sam, sam_embeddings, questions.seg_rows, embeddings[:, None]
        )
        bce, dice = self._mask_sums(low_res, batch)
        count = len(embeddings)
        return {
            "ce": answer_cross_entropy(logits, questions.targets[supervised]),
            "bce": mean_over_masks(bce, count),
            "dice": mean_over_masks(dice, count),
        }

    def _mask_sums(self, low_res: Tensor, batch: ImageBatch) -> tuple[Tensor, Tensor]:
        bce = dice = low_res.sum() * 0.0
        for row, masks in enumerate(batch.masks):
            if not len(masks):
                continue
            logits = low_res[batch.questions.seg_rows == row]
            if self.mask_grid == "decoder":
                target = masks_in_sam_frame(masks, logits.shape[-1])
            else:
                target = masks
                size = (masks.shape[1], masks.shape[2])
                logits = self.model.postprocess_masks(logits, batch.resized_hw[row], size)
            bce = bce + bce_sum(logits, target)
            dice = dice + dice_sum(logits, target)
        return bce, dice
