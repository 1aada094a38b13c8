"""From samples to batches: the engine's questions, and masks read where they should be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from block_rooms import block_room
from random_lisa import random_lisa

from lisa_ros.errors import DatasetError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.prompts import (
    ANSWERS,
    REFUSAL,
    SUPPLIED_ANSWER,
    conversation_named,
    text_of,
    wrap_instruction,
)
from lisa_ros.simulation.storage import write_rooms
from training.collate import Collator
from training.conversation import ConversationTokenizer
from training.data.sample import Sample, Turn
from training.data.simulated import SimulatedRooms
from training.losses import IGNORE_INDEX
from training.packing import Branch

LOADED = random_lisa()
SENTENCES = ["I am thirsty.", "the red mug", "Öffne [SEG] </s> das Fenster", "a" * 60]
SEG = LOADED.tokenizer.seg_id


def tokenizer(conversation: str = "llava_v1") -> ConversationTokenizer:
    return ConversationTokenizer(LOADED.tokenizer, conversation_named(conversation))


def collator(**changes: object) -> Collator:
    plain = Collator(tokenizer(), LOADED.clip_processor, 64, "letterbox", 257)
    return dataclasses.replace(plain, **changes)


def sample(*answers: str, masks: int | None = None) -> Sample:
    conversations = tuple((Turn(f"Where is thing {i}?", a),) for i, a in enumerate(answers))
    count = sum(a.count("[SEG]") for a in answers) if masks is None else masks
    pixels = np.full((40, 60, 3), 90, np.uint8)
    return Sample(
        "made", Path("no file"), conversations, np.ones((count, 40, 60), np.uint8), pixels
    )


def answer_start(branch: Branch) -> int:
    return next(i for i, label in enumerate(branch.labels) if label != IGNORE_INDEX)


@pytest.mark.parametrize("conversation", ["llava_v1", "llava_llama_2"])
@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("answer", [SUPPLIED_ANSWER, REFUSAL])
def test_prompts_are_the_engines(conversation: str, sentence: str, answer: str) -> None:
    tokenize = tokenizer(conversation)
    asked = tokenize([Turn(text_of(wrap_instruction(sentence)), answer)])
    branch = Branch.of(asked, tokenize.prefix, SEG)
    prompt = [*tokenize.prefix, *branch.ids[: answer_start(branch)]]
    assert prompt == LisaEngine(LOADED, conversation=conversation).prompt_ids(sentence)


def test_masks_are_read_before_seg_or_at_the_end_of_the_prompt() -> None:
    drawn = [sample(*ANSWERS[1:3])] * 30
    drawn = [dataclasses.replace(s, image=Path(str(i))) for i, s in enumerate(drawn)]
    late, some = collator()(drawn).questions, collator(early_mask_share=0.5)(drawn).questions
    assert torch.equal(late.ids, some.ids)
    before_seg = late.ids.flatten() == SEG
    places = late.seg_rows * late.ids.shape[1] + late.seg_columns
    assert torch.equal(places + 1, before_seg.nonzero()[:, 0])
    moved = some.seg_columns < late.seg_columns
    assert 15 < moved.sum() < 45
    assert torch.equal(some.seg_columns[~moved], late.seg_columns[~moved])
    for row, column in zip(some.seg_rows[moved], some.seg_columns[moved], strict=True):
        # The first supervised state: it predicts the answer's first token.
        assert some.targets[row, column] != IGNORE_INDEX
        assert some.targets[row, column - 1] == IGNORE_INDEX


def test_a_bare_answer_is_read_at_the_end_of_the_prompt_anyway() -> None:
    batches = [collator(early_mask_share=share)([sample(SUPPLIED_ANSWER)]) for share in (0.0, 1.0)]
    assert torch.equal(batches[0].questions.seg_columns, batches[1].questions.seg_columns)


def test_what_is_too_long_loses_its_end_and_the_masks_there() -> None:
    many = sample(" ".join(["[SEG]"] * 6), REFUSAL)
    assert len(collator()([many]).masks[0]) == 6
    ids = tokenizer()(many.conversations[0]).ids
    third = [index for index, token in enumerate(ids) if token == SEG][2]
    cut = collator(max_length=third)([many])
    assert len(cut.masks[0]) == len(cut.questions.seg_rows) == 2


def test_masks_and_answers_must_agree() -> None:
    with pytest.raises(DatasetError, match="has 2 masks, but its answers hold \\[SEG\\] 1 times"):
        collator()([sample(SUPPLIED_ANSWER, masks=2)])


def test_rooms_teach_what_their_targets_are(tmp_path: Path) -> None:
    write_rooms(tmp_path, [block_room(seed) for seed in range(3)])
    rooms = SimulatedRooms(tmp_path, requests_per_image=3, absent_share=0.0, taught=True)
    samples = [rooms.sample(i, np.random.default_rng(i)) for i in range(3)]
    batch = collator(patch_grid=2)(samples)
    assert batch.taught is not None
    assert batch.taught.targets.shape == (len(batch.questions.seg_rows), 3)
    assert batch.taught.patches.shape == (3, 4, 3)
    mixed = collator(patch_grid=2)([*samples, sample(SUPPLIED_ANSWER)])
    assert mixed.taught is None


def test_bare_answers_come_as_often_as_wanted(tmp_path: Path) -> None:
    write_rooms(tmp_path, [block_room(0)])
    for share in (0.0, 0.4, 1.0):
        rooms = SimulatedRooms(
            tmp_path, requests_per_image=2, absent_share=0.0, bare_answer_share=share
        )
        answers = [
            conversation[0].answer
            for seed in range(60)
            for conversation in rooms.sample(0, np.random.default_rng(seed)).conversations
        ]
        assert abs(answers.count(SUPPLIED_ANSWER) / len(answers) - share) < 0.15
        assert set(answers) <= set(ANSWERS)
