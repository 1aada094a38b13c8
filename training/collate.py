"""From samples to a batch: pixels for both vision towers, packed conversations, masks."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lisa_ros.errors import DatasetError
from lisa_ros.model.preprocess import ClipProcessor, clip_input, sam_input, sam_resized_hw
from lisa_ros.types import UInt8Array
from training.conversation import ConversationTokenizer, TokenisedConversation
from training.data.image_file import read_image
from training.data.sample import Sample
from training.feature_lookup import FeatureLookup, Slot
from training.packing import Branch, PackedQuestions, pack_questions
from training.target_head import patch_labels


class TaughtBatch(NamedTuple):
    """What a `TargetHead` is taught. targets: i64[S,3] of all `[SEG]`s. patches: i64[B,N,3]."""

    targets: Tensor
    patches: Tensor

    def to(self, device: torch.device) -> TaughtBatch:
        """The same on another device."""
        return TaughtBatch(self.targets.to(device), self.patches.to(device))


@dataclass(frozen=True)
class ImageBatch:
    """B images with several conversations each.

    sam_pixels: f32[E,3,S,S]. clip_pixels: f32[E,3,h,w]. Of the E images that must be encoded, in
    order: all B, but for those whose features the slots hold. slots: B. resized_hw: the size of
    each image inside SAM's padded input. masks: u8[S_b,H,W] of each image at its own size, in the
    order of its `[SEG]`s. taught: where all samples are.
    """

    sam_pixels: Tensor
    clip_pixels: Tensor
    resized_hw: list[tuple[int, int]]
    questions: PackedQuestions
    masks: list[Tensor]
    slots: list[Slot]
    taught: TaughtBatch | None = None

    def to(self, device: torch.device) -> ImageBatch:
        """The batch on another device; the slots' features stay where they are."""
        return dataclasses.replace(
            self,
            sam_pixels=self.sam_pixels.to(device),
            clip_pixels=self.clip_pixels.to(device),
            questions=self.questions.to(device),
            masks=[masks.to(device) for masks in self.masks],
            taught=None if self.taught is None else self.taught.to(device),
        )


@dataclass(frozen=True)
class Collator:
    """Builds batches as one model takes them.

    max_length: ids of a conversation, its image counted as one; what is longer is cut off at the
    end, with the masks of any `[SEG]` there. Upstream trains with 257. lookup: finds the features
    of images that were encoded before. early_mask_share: of how many answers the first mask is read
    from the state that ends the prompt, as the prompted mode does, whatever words come before its
    `[SEG]`; upstream's share is 0. patch_grid: patches of CLIP a side, to teach a `TargetHead`.
    """

    tokenize: ConversationTokenizer
    clip_processor: ClipProcessor
    sam_side: int
    view: str
    max_length: int
    lookup: FeatureLookup | None = None
    early_mask_share: float = 0.0
    patch_grid: int | None = None

    def __call__(self, samples: Sequence[Sample]) -> ImageBatch:
        """Read the images and lay everything out.

        Raises:
            DatasetError: an image cannot be read, has another size than its masks, or the answers
                have more or fewer `[SEG]`s than there are masks; names the image.

        """
        images = [read_image(sample) for sample in samples]
        rows, masks = zip(*(self._conversations(sample) for sample in samples), strict=True)
        slots = [self._slot(*pair) for pair in zip(samples, images, strict=True)]
        unknown = [
            image for image, slot in zip(images, slots, strict=True) if slot.features is None
        ]
        sam_pixels = [sam_input(image, self.sam_side).pixels for image in unknown]
        clip_pixels = [clip_input(image, self.clip_processor, self.view) for image in unknown]
        return ImageBatch(
            sam_pixels=_stacked(sam_pixels, self.sam_side),
            clip_pixels=_stacked(clip_pixels, self.clip_processor.size),
            resized_hw=[
                sam_resized_hw(image.shape[0], image.shape[1], self.sam_side) for image in images
            ],
            questions=pack_questions(rows, self.tokenize.tokenizer.pad_id),
            masks=list(masks),
            slots=slots,
            taught=None if self.patch_grid is None else self._taught(samples, self.patch_grid),
        )

    def _taught(self, samples: Sequence[Sample], grid: int) -> TaughtBatch | None:
        known = [sample.taught for sample in samples if sample.taught is not None]
        if len(known) < len(samples):
            return None
        targets = np.concatenate([taught.targets for taught in known])
        patches = [patch_labels(torch.from_numpy(taught.shown), grid) for taught in known]
        return TaughtBatch(torch.from_numpy(targets), torch.stack(patches))

    def _slot(self, sample: Sample, image: UInt8Array) -> Slot:
        return Slot() if self.lookup is None else self.lookup(sample, image)

    def _conversations(self, sample: Sample) -> tuple[list[Branch], Tensor]:
        seg_id = self.tokenize.tokenizer.seg_id
        branches: list[Branch] = []
        kept: list[int] = []
        total = 0
        for turns in sample.conversations:
            ids, labels = self.tokenize(turns)
            cut = TokenisedConversation(ids[: self.max_length], labels[: self.max_length])
            branch = Branch.of(cut, self.tokenize.prefix, seg_id)
            if branch.seg_queries and self._is_early(sample, cut.ids):
                branch = branch.with_early_mask()
            kept += range(total, total + len(branch.seg_queries))
            total += labels.count(seg_id)
            branches.append(branch)
        if total != len(sample.masks):
            raise DatasetError(
                f"{sample.image} of {sample.dataset} has {len(sample.masks)} masks, but its "
                f"answers hold [SEG] {total} times."
            )
        return branches, torch.from_numpy(sample.masks[kept])

    def _is_early(self, sample: Sample, ids: Sequence[int]) -> bool:
        """A throw of the dice that depends on the image and the text alone."""
        drawn = zlib.crc32(repr((sample.dataset, str(sample.image), ids)).encode())
        return drawn < self.early_mask_share * 2**32


def _stacked(pixels: Sequence[Tensor], side: int) -> Tensor:
    return torch.stack(list(pixels)) if pixels else torch.zeros(0, 3, side, side)
