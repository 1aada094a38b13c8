"""What LISA's training minimises, for a batch of images from any dataset."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.lisa import LisaForCausalLM
from training.collate import ImageBatch
from training.data.labels import masks_in_sam_frame
from training.losses import IGNORE_INDEX, answer_cross_entropy, bce_sum, dice_sum, mean_over_masks
from training.mask_batch import decode_batch
from training.packed_forward import packed_hidden_states
from training.target_head import TargetHead

MaskGrid = Literal["image", "decoder"]


class _Answer(NamedTuple):
    """What the model makes of a batch.

    seen: states of the image tokens [B,N,D]. hidden: of the packed conversations [B,M,D]. prompts:
    SAM's, [S,C]. low_res: mask logits [S,4g,4g].
    """

    seen: Tensor
    hidden: Tensor
    prompts: Tensor
    low_res: Tensor


class Predicted(NamedTuple):
    """masks: bool[S_b,H,W] of each image, in the order of `batch.masks`. ce: see `losses`."""

    masks: list[Tensor]
    ce: Tensor


class LisaObjective(nn.Module):
    """The model with its losses; a module, so that a training engine can wrap it.

    mask_grid: where masks are compared. "image" is upstream's: logits are brought to the size of
    each image. "decoder" compares on the decoder's own grid with the covered share of each cell, a
    fraction of the work for small models. head: adds what a `TargetHead` costs, "target" of the
    `[SEG]` embeddings and "patches" of the image tokens; batches must then be taught.
    """

    def __init__(
        self,
        model: LisaForCausalLM,
        prefix: tuple[int, ...],
        mask_grid: MaskGrid = "image",
        head: TargetHead | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.head = head
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
        answer = self._answer(batch, sam_embeddings, clip_features)
        supervised = questions.targets != IGNORE_INDEX
        logits = self.model.logits(answer.hidden[supervised])
        bce, dice = self._mask_sums(answer.low_res, batch)
        count = len(answer.low_res)
        parts = {
            "ce": answer_cross_entropy(logits, questions.targets[supervised]),
            "bce": mean_over_masks(bce, count),
            "dice": mean_over_masks(dice, count),
        }
        if self.head is not None:
            parts |= self._taught(self.head, answer, batch)
        return parts

    @torch.no_grad()
    def predict(
        self, batch: ImageBatch, sam_embeddings: Tensor, clip_features: Tensor
    ) -> Predicted:
        """Masks and cross-entropy of the true answers: upstream's teacher forcing."""
        questions = batch.questions
        _, hidden, _, low_res = self._answer(batch, sam_embeddings, clip_features)
        supervised = questions.targets != IGNORE_INDEX
        logits = self.model.logits(hidden[supervised])
        ce = answer_cross_entropy(logits, questions.targets[supervised])
        masks = [
            self._at_image_size(low_res[questions.seg_rows == row], batch, row) > 0
            for row in range(len(batch.masks))
        ]
        return Predicted(masks, ce)

    def _answer(self, batch: ImageBatch, sam: Tensor, clip: Tensor) -> _Answer:
        questions = batch.questions
        prefix = self.get_buffer("prefix")
        seen, hidden = packed_hidden_states(self.model, prefix, questions, clip)
        rows, columns = questions.seg_rows, questions.seg_columns
        count = len(rows)
        if not count:
            # A mask that nobody asked for and that is dropped again: DeepSpeed's ranks wait for
            # each other at every module and gradient, also when only some of them have masks.
            rows = columns = rows.new_zeros(1)
        prompts = self.model.seg_embeddings(hidden[rows, columns])
        low_res = decode_batch(self.model.sam, sam, rows, prompts[:, None])
        return _Answer(seen, hidden, prompts[:count], low_res[:count])

    def _taught(self, head: TargetHead, answer: _Answer, batch: ImageBatch) -> dict[str, Tensor]:
        if batch.taught is None:
            raise ConfigurationError(
                "The temporary head learns from simulated rooms with `taught: true` only; set "
                "head_weight to 0 for other data."
            )
        shown = self.model.seg_embeddings(answer.seen)
        return {
            "target": head.loss(answer.prompts, batch.taught.targets),
            "patches": head.loss(shown.flatten(0, 1), batch.taught.patches.flatten(0, 1)),
        }

    def _at_image_size(self, low_res: Tensor, batch: ImageBatch, row: int) -> Tensor:
        masks = batch.masks[row]
        size = (masks.shape[1], masks.shape[2])
        return self.model.postprocess_masks(low_res, batch.resized_hw[row], size)

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
                logits = self._at_image_size(logits, batch, row)
            bce = bce + bce_sum(logits, target)
            dice = dice + dice_sum(logits, target)
        return bce, dice
