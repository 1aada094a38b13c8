"""The training loop on hand-drawn rooms: it learns, resumes exactly and refuses foreign states."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from block_rooms import block_room
from random_lisa import random_lisa

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.prompts import conversation_named
from lisa_ros.model.settings import LisaSettings
from training.conversation import ConversationTokenizer
from training.data.questions import QuestionEncoder
from training.data.room_questions import RoomQuestions
from training.features import FrozenFeatures
from training.train_config import TrainConfig
from training.train_rooms import run, trained_settings
from training.trainer import Trainer

ROOMS = [block_room(seed) for seed in range(5)]
CONFIG = TrainConfig(
    init="random",
    rooms="none",
    out="none",
    steps=4,
    images_per_step=2,
    requests_per_image=3,
    absent_share=0.3,
    learning_rate=1e-3,
    warmup_steps=1,
    precision="fp32",
    target_weight=0.5,
    save_every=2,
)


def trainer_of(config: TrainConfig, seed: int = 0) -> tuple[Trainer, RoomQuestions, FrozenFeatures]:
    loaded = random_lisa(seed)
    settings = loaded.settings
    tokenize = ConversationTokenizer(loaded.tokenizer, conversation_named(settings.conversation))
    encoder = QuestionEncoder(tokenize, settings.prompt_template, config.bare_answer_share)
    features = FrozenFeatures.of_rooms(
        loaded.model, loaded.clip_processor, ROOMS, "letterbox", torch.float32
    )
    trainer = Trainer(config, loaded, tokenize.prefix)
    return trainer, RoomQuestions(config, ROOMS, encoder, loaded.model.num_image_tokens), features


def train_in(
    folder: Path, config: TrainConfig, stop_after: int | None = None
) -> dict[str, torch.Tensor]:
    """Train, or be interrupted right after a step; return all weights."""
    trainer, questions, features = trainer_of(config)
    if stop_after is None:
        run(trainer, questions, features, folder)
    else:
        interrupt_after(trainer, stop_after)
        with pytest.raises(KeyboardInterrupt):
            run(trainer, questions, features, folder)
    return {name: p.detach().clone() for name, p in trainer.model.named_parameters()}


def interrupt_after(trainer: Trainer, stop_after: int) -> None:
    original = trainer.step

    def step(number: int, *arguments: object) -> dict[str, float]:
        if number == stop_after:
            raise KeyboardInterrupt
        return original(number, *arguments)  # type: ignore[arg-type]

    trainer.step = step  # type: ignore[method-assign]


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    straight = train_in(whole, CONFIG)
    train_in(parts, CONFIG, stop_after=3)
    resumed = train_in(parts, CONFIG)
    for name, weight in straight.items():
        assert torch.equal(weight, resumed[name]), name


def test_what_is_frozen_stays_and_what_learns_moves(tmp_path: Path) -> None:
    before = {n: p.detach().clone() for n, p in random_lisa(0).model.named_parameters()}
    after = train_in(tmp_path, CONFIG)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert "model.embed_tokens.weight" in moved
    assert "lm_head.weight" in moved
    assert "model.mm_projector.weight" in moved
    assert "model.text_hidden_fcs.0.0.weight" in moved
    assert any(name.startswith("model.visual_model.mask_decoder.") for name in moved)
    frozen = ("vision_tower.", "model.visual_model.image_encoder.")
    assert not any(
        name.startswith((*frozen, "model.visual_model.prompt_encoder")) for name in moved
    )


@pytest.mark.slow
def test_it_learns_the_rooms_by_heart() -> None:
    config = replace(CONFIG, steps=60, learning_rate=3e-3, warmup_steps=5)
    trainer, questions, features = trainer_of(config)
    first = trainer.step(0, questions.batch(0), features)
    for step in range(1, config.steps):
        last = trainer.step(step, questions.batch(step), features)
    assert last["ce"] < 0.5 * first["ce"]


def test_the_state_of_another_run_is_refused(tmp_path: Path) -> None:
    train_in(tmp_path, CONFIG)
    other, _, _ = trainer_of(replace(CONFIG, learning_rate=2e-3))
    with pytest.raises(ConfigurationError, match="learning_rate"):
        other.resume(tmp_path / "state.pt")
    foreign, _, _ = trainer_of(CONFIG, seed=1)
    with pytest.raises(ConfigurationError, match="init_digest"):
        foreign.resume(tmp_path / "state.pt")


def test_new_weights_lose_the_threshold_of_the_old() -> None:
    settings = trained_settings(
        LisaSettings(found_threshold=0.4), CONFIG, [room.seed for room in ROOMS]
    )
    assert settings.found_threshold is None
    assert settings.provenance["room_seeds"] == [0, 4]
    assert LisaSettings.from_json(settings.to_json()) == settings


def test_a_second_training_remembers_the_first() -> None:
    first = trained_settings(LisaSettings(), CONFIG, [5, 9])
    calibrated = replace(first, found_threshold=0.5)
    calibrated.provenance["calibrated_on"] = {"room_seeds": [100, 101]}
    second = trained_settings(calibrated, replace(CONFIG, steps=7), [2, 6]).provenance
    assert second["trained_with"]["steps"] == 7
    assert [run["steps"] for run in second["trained_before"]] == [CONFIG.steps]
    assert second["room_seeds"] == [2, 9]
    assert "calibrated_on" not in second


def test_the_temporary_head_fades_out_over_the_run() -> None:
    norms = []
    for step in (0, CONFIG.steps // 2, CONFIG.steps):
        trainer, questions, features = trainer_of(CONFIG)
        trainer.step(step, questions.batch(0), features)
        gradient = trainer.head.heads[0].weight.grad
        rest = trainer.model.model.text_hidden_fcs[0][2].weight.grad
        assert gradient is not None
        assert rest is not None
        norms.append(float(gradient.norm() / rest.norm()))
    assert norms[0] > norms[1] > norms[2] == 0


def test_batches_depend_on_the_step_alone() -> None:
    _, questions, _ = trainer_of(CONFIG)
    later = questions.batch(3)
    _, again, _ = trainer_of(CONFIG)
    assert again.batch(3).rooms == later.rooms
    assert torch.equal(again.batch(3).questions.ids, later.questions.ids)
    seen = [index for step in range(5) for index in questions.batch(step).rooms]
    assert sorted(seen[:5]) == sorted(seen[5:]) == list(np.arange(5))
