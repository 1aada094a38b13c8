"""Whether a model can still talk, on a random tiny LISA."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from random_lisa import random_lisa

from lisa_ros.errors import DatasetError, ModelError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.checkpoint import LoadedLisa
from lisa_ros.model.prompts import INSTRUCTION_FIELD
from lisa_ros.recordings.image_files import read_color
from training.collate import Collator
from training.data.llava_instruct import LlavaInstruct
from training.data.sample import Turn
from training.data.set_aside import VAL_SHARE, is_set_aside
from training.evaluation.csv_table import to_csv
from training.evaluation.opening import open_conversations
from training.evaluation.talk import Talker, TalkRecord, read_talk, talk, talk_doubts, talk_figures
from training.losses import IGNORE_INDEX, answer_cross_entropy
from training.packed_forward import packed_hidden_states

LLAVA = Path(__file__).parent.parent / "data" / "fixtures" / "llava"


@pytest.fixture(scope="module")
def loaded() -> LoadedLisa:
    return random_lisa()


@pytest.fixture(scope="module")
def talker(loaded: LoadedLisa) -> Talker:
    engine = LisaEngine(loaded, prompt_template=INSTRUCTION_FIELD, found_threshold=None)
    return Talker.of(loaded, engine, max_new_tokens=4)


@pytest.fixture(scope="module")
def dataset() -> LlavaInstruct:
    file = LLAVA / "llava_dataset" / "llava_instruct_150k.json"
    return LlavaInstruct(file, LLAVA / "coco" / "train2017")


def test_the_loss_is_the_trainers(
    talker: Talker, loaded: LoadedLisa, dataset: LlavaInstruct
) -> None:
    sample = dataset.sample(0, np.random.default_rng(0))
    (turns,) = sample.conversations
    loss, tokens = talker.answer_loss(read_color(sample.image), turns)
    collate = Collator(
        tokenize=talker.tokenize,
        clip_processor=loaded.clip_processor,
        sam_side=64,
        view=talker.view,
        max_length=2000,
    )
    batch = collate([sample])
    with torch.inference_mode():
        _, hidden = packed_hidden_states(
            loaded.model,
            torch.tensor(talker.tokenize.prefix),
            batch.questions,
            loaded.model.vision_tower(batch.clip_pixels),
        )
        supervised = batch.questions.targets != IGNORE_INDEX
        logits = loaded.model.logits(hidden[supervised])
        mean = answer_cross_entropy(logits, batch.questions.targets[supervised])
    assert tokens == int(supervised.sum())
    assert loss / tokens == pytest.approx(float(mean), rel=1e-4)


def test_what_is_beyond_the_context_is_left_out(dataset: LlavaInstruct) -> None:
    short = random_lisa(max_position_embeddings=120)
    engine = LisaEngine(short, prompt_template=INSTRUCTION_FIELD, found_threshold=None)
    talker = Talker.of(short, engine, max_new_tokens=4)
    pixels = read_color(dataset.sample(0, np.random.default_rng(0)).image)
    question, answer = Turn("What is it?", "A cup. " * 100)
    _, cut = talker.answer_loss(pixels, (Turn(question, answer),))
    _, less = talker.answer_loss(pixels, (Turn(f"{question} {question}", answer),))
    assert 0 < less < cut < 100


def test_a_loss_that_is_no_number_is_refused(dataset: LlavaInstruct) -> None:
    broken = random_lisa()
    engine = LisaEngine(broken, prompt_template=INSTRUCTION_FIELD, found_threshold=None)
    with torch.no_grad():
        broken.model.lm_head.weight[:] = float("nan")
    talker = Talker.of(broken, engine, max_new_tokens=4)
    with pytest.raises(ModelError, match="loss of an answer"):
        talk(talker, dataset, at_most=1)


def test_conversations_are_gone_through_and_summed_up(
    talker: Talker, dataset: LlavaInstruct, tmp_path: Path
) -> None:
    records = talk(talker, dataset, at_most=2)
    assert len(records) == 2
    figures = talk_figures(records, 707)
    assert figures["loss"] == pytest.approx(
        sum(r.loss for r in records) / sum(r.tokens for r in records)
    )
    assert figures["guessing_loss"] == pytest.approx(np.log(707))
    for found in records:
        assert found.stray_masks == found.answer.count("[SEG]")
    path = tmp_path / "conversations.csv"
    path.write_bytes(to_csv(TalkRecord, records))
    assert read_talk(path) == records


def test_stray_masks_are_counted_by_answer() -> None:
    records = [TalkRecord(i, "x", 5, 1.0, "q", "a", stray) for i, stray in enumerate((0, 2, 0, 1))]
    assert talk_figures(records, 10)["stray_rate"] == 0.5


def test_a_loss_no_better_than_guessing_is_doubted() -> None:
    said = [TalkRecord(0, "x", 10, 20.0, "q", "a", 0)]
    assert talk_doubts(talk_figures(said, 10)) == []
    (doubt,) = talk_doubts(talk_figures(said, 7))
    assert "tokenizer" in doubt


def test_no_conversations_are_an_error(talker: Talker) -> None:
    class Nothing:
        name = "nothing"

        def __len__(self) -> int:
            return 0

    with pytest.raises(DatasetError, match="no answer"):
        talk(talker, Nothing())


def test_held_out_conversations_are_those_that_training_sets_aside(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is in 'val'"):
        open_conversations(LLAVA, [])
    (tmp_path / "llava_dataset").mkdir()
    file = LLAVA / "llava_dataset" / "llava_instruct_150k.json"
    items = json.loads(file.read_text(encoding="utf-8"))
    (set_aside,) = (n for n in range(200) if is_set_aside(f"{n:012}", VAL_SHARE))
    items.append({**items[0], "image": f"{set_aside:012}.jpg"})
    (tmp_path / "llava_dataset" / file.name).write_text(json.dumps(items))
    held_out = open_conversations(tmp_path, [])
    assert isinstance(held_out, LlavaInstruct)
    assert held_out.coco_numbers() == (set_aside,)
