"""Pre-training of the two vision towers, small and from end to end."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from block_rooms import block_room
from random_lisa import random_lisa

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.checkpoint import load_checkpoint
from lisa_ros.simulation.storage import write_rooms
from training.pretrain import main, pretrain, state_path
from training.pretrain_config import PretrainConfig
from training.scratch import ClipSizes, LlmSizes, SamSizes, Sizes
from training.scratch import random_lisa as build_lisa
from training.tower_growth import take_towers
from training.vision_heads import click_loss, draw_clicks
from training.vision_trainer import VisionTrainer

SIZES = Sizes(
    llm=LlmSizes(32, 48, 2, 4, 512),
    clip=ClipSizes(28, 14, 24, 32, 2, 2),
    sam=SamSizes(64, 16, 24, 2, 2, 40, 2, (1,), 32, 48),
)


@pytest.fixture
def config(tmp_path: Path) -> PretrainConfig:
    write_rooms(tmp_path / "rooms", [block_room(seed) for seed in range(4)])
    return PretrainConfig(
        rooms=str(tmp_path / "rooms"),
        out=str(tmp_path / "run" / "pretrained"),
        sizes=SIZES,
        vocab_size=900,
        conversation="llava_v1",
        steps=21,
        images_per_step=4,
        points_per_image=2,
        learning_rate=3e-3,
        warmup_steps=2,
        precision="fp32",
    )


@pytest.mark.slow
def test_the_towers_learn_and_the_result_loads(config: PretrainConfig) -> None:
    pretrain(config)
    out = Path(config.out)
    log = out.with_name("pretrained.losses.jsonl").read_text().splitlines()
    first, last = json.loads(log[0]), json.loads(log[-1])
    assert last["step"] == 20
    for part in ("masks", "cells", "patches"):
        assert last[part] < first[part], part
    settings = load_checkpoint(out).settings
    assert settings.demo_model
    assert [run["steps"] for run in settings.provenance["pretrained_with"]] == [21]


def test_nothing_stays_behind_on_the_cpu(
    config: PretrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On torch's device without memory, which refuses to be mixed with another as a GPU does."""
    # SAM's prompt encoder picks its points by a mask, whose number only values would tell.
    monkeypatch.setattr("torch.fx.experimental._config.meta_nonzero_assume_all_nonzero", True)
    meta = torch.device("meta")
    trainer = VisionTrainer(build_lisa(SIZES, 900, "clip-vit-tiny", seed=0), config, meta)
    batch = trainer.batch([block_room(0), block_room(1)], np.random.default_rng(0))
    with pytest.raises(RuntimeError):
        trainer.losses(batch)
    parts = trainer.losses(batch.to(meta))
    torch.autograd.backward(torch.stack(list(parts.values())).sum())
    assert {part.device for part in parts.values()} == {meta}
    assert {p.grad.device for p in trainer.parameters() if p.grad is not None} == {meta}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    model = load_checkpoint(folder).model
    return {**model.sam.state_dict(), **model.vision_tower.clip.state_dict()}


@pytest.mark.slow
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    config: PretrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(config, steps=22, save_every=9)
    pretrain(config)
    step = VisionTrainer.step

    def stopped(self: VisionTrainer, number: int, *rest: object) -> object:
        if number == 21:
            raise KeyboardInterrupt
        return step(self, number, *rest)

    again = dataclasses.replace(config, out=f"{config.out}2")
    monkeypatch.setattr(VisionTrainer, "step", stopped)
    with pytest.raises(KeyboardInterrupt):
        pretrain(again)
    monkeypatch.setattr(VisionTrainer, "step", step)
    with pytest.raises(ConfigurationError, match="another configuration"):
        pretrain(dataclasses.replace(again, points_per_image=1))
    pretrain(again)
    whole, resumed = weights(Path(config.out)), weights(Path(again.out))
    for name, value in whole.items():
        assert torch.equal(resumed[name], value), name
    assert not state_path(Path(again.out)).exists()
    steps = Path(f"{again.out}.losses.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in steps] == [0, 20]


@pytest.mark.slow
def test_towers_grow_out_of_smaller_ones(config: PretrainConfig) -> None:
    pretrain(config)
    finer = dataclasses.replace(SIZES, clip=ClipSizes(56, 14, 24, 32, 3, 2))
    model = build_lisa(finer, 900, "clip-vit-tiny", seed=1)
    fresh = {name: value.clone() for name, value in model.vision_tower.clip.state_dict().items()}
    take_towers(model, load_checkpoint(config.out).model)
    earlier = weights(Path(config.out))
    grown = {**model.sam.state_dict(), **model.vision_tower.clip.state_dict()}
    (positions,) = (name for name in earlier if name.endswith("position_embedding.weight"))
    for name, value in grown.items():
        if name == positions:
            assert value.shape == (1 + 16, 24)
            assert torch.equal(value[0], earlier[name][0])
            mean = earlier[name][1:].mean(0)
            torch.testing.assert_close(value[1:].mean(0), mean, atol=1e-3, rtol=0)
        elif name in earlier:
            assert torch.equal(value, earlier[name]), name
        else:
            assert "layers.2." in name
            assert torch.equal(value, fresh[name]), name
    for clip in (ClipSizes(28, 14, 24, 32, 1, 2), ClipSizes(28, 14, 32, 32, 2, 2)):
        other = build_lisa(dataclasses.replace(SIZES, clip=clip), 900, "clip-vit-tiny", seed=1)
        with pytest.raises(ConfigurationError, match="clip"):
            take_towers(other, load_checkpoint(config.out).model)


def test_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[2] / "training" / "configs" / "lisa-tiny-pretrain.yaml"
    assert main([str(path), f"rooms={tmp_path / 'nowhere'}"]) == 1
    assert f"\nerror: No rooms-*.npz in {tmp_path}" in capsys.readouterr().err


def test_a_click_lies_on_the_object_whose_mask_it_asks_for() -> None:
    room = block_room(0, height=48, width=64)
    clicks = draw_clicks(room, 20, 128, np.random.default_rng(0))
    assert clicks is not None
    for (x, y), mask in zip(clicks.points[:, 0].tolist(), clicks.masks, strict=True):
        assert mask[int(y / 2), int(x / 2)]


def test_a_room_without_objects_has_nothing_to_click() -> None:
    room = block_room(0)
    empty = dataclasses.replace(room, objects=(), instances=np.zeros_like(room.instances))
    assert draw_clicks(empty, 3, 128, np.random.default_rng(0)) is None
    sam = random_lisa(0).model.sam
    grid, channels = sam.config.grid_size, sam.config.prompt_embed_dim
    embeddings = torch.randn(2, channels, grid, grid, requires_grad=True)
    loss = click_loss(sam, embeddings, [None, None])
    loss.backward()
    assert loss.item() == 0
