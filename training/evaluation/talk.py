"""Whether a model can still talk: the loss of its answers to plain questions, and stray `[SEG]`s.

The paper keeps conversation by replaying LLaVA-Instruct; later users found it lost. Asked of
conversations that training did not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from lisa_ros.errors import DatasetError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.inference.finite import check_finite
from lisa_ros.inference.segmenter import Segmenter
from lisa_ros.model.checkpoint import LoadedLisa
from lisa_ros.model.preprocess import clip_input
from lisa_ros.model.prompts import conversation_named
from lisa_ros.model.tokenizer import IMAGE_TOKEN_INDEX
from lisa_ros.recordings.image_files import read_color
from lisa_ros.types import UInt8Array
from training.conversation import ConversationTokenizer
from training.data.sample import Conversation, ImageDataset
from training.evaluation.csv_table import read_csv
from training.evaluation.running import spread
from training.losses import IGNORE_INDEX
from training.ranks import ALONE, Ranks


@dataclass(frozen=True)
class TalkRecord:
    """One conversation. loss: summed over the answers' tokens. answer: to its first question.

    stray_masks: how many `[SEG]` that answer holds; none was asked for.
    """

    index: int
    image: str
    tokens: int
    loss: float
    question: str
    answer: str
    stray_masks: int


@dataclass(frozen=True)
class Talker:
    """A model that is talked to. segmenter: the same model, to let it write."""

    loaded: LoadedLisa
    segmenter: Segmenter
    tokenize: ConversationTokenizer
    view: str
    max_new_tokens: int

    @classmethod
    def of(cls, loaded: LoadedLisa, engine: LisaEngine, max_new_tokens: int) -> Talker:
        """Talk to a checkpoint in the template and view of its engine."""
        template = conversation_named(engine.capabilities.conversation)
        tokenize = ConversationTokenizer(loaded.tokenizer, template)
        return cls(loaded, engine, tokenize, engine.capabilities.view, max_new_tokens)

    def record(self, index: int, name: str, pixels: UInt8Array, turns: Conversation) -> TalkRecord:
        """Compute the loss of a conversation's answers, and let the model answer its opening."""
        loss, tokens = self.answer_loss(pixels, turns)
        question = turns[0].question
        segmentation = self.segmenter.segment(
            pixels, question, mode="generated", max_new_tokens=self.max_new_tokens
        )
        stray = len(segmentation.masks)
        return TalkRecord(index, name, tokens, loss, question, segmentation.text, stray)

    @torch.inference_mode()
    def answer_loss(self, pixels: UInt8Array, turns: Conversation) -> tuple[float, int]:
        """Sum of the cross-entropies of the answers' tokens, and how many there are.

        What is beyond the model's context is left out. Raises ModelError for a loss that is no
        number.
        """
        model = self.loaded.model
        tokenised = self.tokenize(turns)
        seen = clip_input(pixels, self.loaded.clip_processor, self.view)
        image_tokens = model.encode_clip(seen[None].to(model.device, model.dtype))
        n_image = image_tokens.shape[1]
        room = self.loaded.config.max_position_embeddings - n_image + 1
        ids, labels = tokenised.ids[:room], tokenised.labels[:room]
        image = ids.index(IMAGE_TOKEN_INDEX)
        targets = [*labels[:image], *[IGNORE_INDEX] * n_image, *labels[image + 1 :]]
        row = torch.tensor([ids], device=model.device)
        hidden, _ = model.hidden_states(model.embed(row, image_tokens))
        target = torch.tensor(targets[1:], device=model.device)
        supervised = target != IGNORE_INDEX
        logits = model.logits(hidden[0, :-1][supervised])
        loss = F.cross_entropy(logits.float(), target[supervised], reduction="sum")
        check_finite(loss, "The loss of an answer")
        return float(loss), int(supervised.sum())


def talk(
    talker: Talker, dataset: ImageDataset, *, at_most: int | None = None, ranks: Ranks = ALONE
) -> list[TalkRecord]:
    """Go through conversations, `at_most` of them evenly spread, and return all ranks' records.

    dataset: one conversation an image, as `LlavaInstruct` gives them.

    Raises:
        DatasetError: an item is malformed, or no answer has a token.

    """
    chosen = spread(len(dataset), at_most)
    found: list[TalkRecord] = []
    mine = chosen[ranks.rank :: ranks.world]
    for index in tqdm(mine, desc=dataset.name, unit="conversation", disable=not ranks.first):
        sample = dataset.sample(index, np.random.default_rng(index))
        pixels = read_color(sample.image)
        found.append(talker.record(index, sample.image.name, pixels, sample.conversations[0]))
    records = sorted(ranks.gather(found), key=lambda record: record.index)
    if not sum(record.tokens for record in records):
        raise DatasetError(f"{dataset.name}: no answer has a token that could be judged.")
    return records


def talk_figures(records: Sequence[TalkRecord], vocabulary: int) -> dict[str, Any]:
    """loss: mean cross-entropy per token. stray_rate: share of answers with a `[SEG]`.

    guessing_loss: the loss of a model that knows nothing.
    """
    tokens = sum(record.tokens for record in records)
    return {
        "n": len(records),
        "tokens": tokens,
        "loss": sum(record.loss for record in records) / tokens,
        "guessing_loss": float(np.log(vocabulary)),
        "stray_rate": sum(record.stray_masks > 0 for record in records) / len(records),
    }


def talk_doubts(figures: dict[str, Any]) -> list[str]:
    """What makes `talk_figures` hard to believe, in a sentence; usually nothing."""
    if figures["loss"] < figures["guessing_loss"]:
        return []
    return [
        f"The loss of plain answers, {figures['loss']:.2f} per token, is no better than guessing "
        f"({figures['guessing_loss']:.2f}): the model never learned such answers, or its tokenizer "
        "or --conversation are not those that it was trained with."
    ]


def read_talk(path: Path) -> list[TalkRecord]:
    """Read a `conversations.csv`. Raises DatasetError where it is missing or malformed."""
    numbers = {"index": int, "tokens": int, "loss": float, "stray_masks": int}
    return read_csv(path, TalkRecord, numbers)
