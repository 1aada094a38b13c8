"""Batches of questions about simulated rooms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lisa_ros.simulation.requests import sample_requests
from lisa_ros.simulation.room import Room
from training.data.questions import QuestionEncoder
from training.data.rooms import EpochOrder
from training.packing import PackedQuestions, pack_questions
from training.ranks import ALONE, Ranks
from training.target_head import patch_labels, shown_labels, target_labels
from training.train_config import TrainConfig


@dataclass(frozen=True)
class Batch:
    """B rooms with several questions each.

    masks: bool[S_b,H,W] for each room, in the order of its `[SEG]`s. labels: i64[S,3] of the
    objects asked for, in the order of all `[SEG]`s (`target_labels`). patches: i64[B,N,3] of what
    CLIP's patches show (`patch_labels`).
    """

    rooms: list[int]
    questions: PackedQuestions
    masks: list[Tensor]
    labels: Tensor
    patches: Tensor


class RoomQuestions:
    """Draws a rank's batch of a step: a function of the configuration, the step and the rank."""

    def __init__(
        self,
        config: TrainConfig,
        rooms: list[Room],
        encoder: QuestionEncoder,
        n_patches: int,
        ranks: Ranks = ALONE,
    ) -> None:
        self.config, self.rooms, self.encoder, self.ranks = config, rooms, encoder, ranks
        self.patch_grid = math.isqrt(n_patches)
        images = ranks.share(config.images_per_step)
        self.order = EpochOrder(len(rooms), images, config.seed)

    def batch(self, step: int) -> Batch:
        """Sample rooms, requests about them and answers."""
        rng = np.random.default_rng([self.config.seed, step, self.ranks.rank])
        indices = self.order.indices(step)
        branches, masks, labels = [], [], []
        for index in indices:
            room = self.rooms[index]
            requests = sample_requests(
                room, rng, self.config.requests_per_image, absent_share=self.config.absent_share
            )
            branches.append([self.encoder.branch(r.text, r.present, rng) for r in requests])
            wanted = [r.target_ids for r in requests if r.present]
            masks.append(_stacked_masks(room, wanted))
            labels += [target_labels(room, ids[0]) for ids in wanted]
        questions = pack_questions(branches, self.encoder.tokenize.tokenizer.pad_id)
        patches = torch.stack(
            [patch_labels(shown_labels(self.rooms[i]), self.patch_grid) for i in indices]
        )
        return Batch(indices, questions, masks, torch.tensor(labels).reshape(-1, 3), patches)


def _stacked_masks(room: Room, wanted: Sequence[tuple[int, ...]]) -> Tensor:
    masks = [room.mask(ids) for ids in wanted]
    stacked = np.stack(masks) if masks else np.zeros((0, *room.instances.shape), dtype=bool)
    return torch.from_numpy(stacked)
