"""The checkpoint that ships: its files, and that it does on unseen rooms what it is shipped for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors import safe_open

import lisa_ros
from lisa_ros.errors import ConfigurationError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.checkpoint import read_settings
from lisa_ros.simulation.room import generate_room
from training.evaluation.room_figures import summary
from training.evaluation.room_set import refuse_known_rooms
from training.room_evaluation import ask_about_rooms

FOLDER = Path(lisa_ros.__file__).parent / "assets" / "lisa-tiny"
MAX_BYTES = 15_000_000  # of the checkpoint's one file
MAX_BYTES_WITH_TOWER = 16_000_000
FIRST_SEED, ROOMS = 40_000, 12
# 300 rooms show 0.74, 0.91, 0.88 and 0.006 (training.evaluate). These 72 present and 24 absent
# requests spread more: the bounds leave room for that, not for a defect.
MIN_GIOU, MIN_FOUND, MIN_REJECTED, MAX_MEDIAN_ERROR_M = 0.64, 0.82, 0.7, 0.012


def test_it_has_the_layout_of_a_released_checkpoint() -> None:
    config = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["LISAForCausalLM"]
    assert (FOLDER / config["vision_tower"]).is_dir()
    assert [path.name for path in FOLDER.glob("*.safetensors")] == ["model.safetensors"]


def test_it_is_small_and_in_bfloat16() -> None:
    files = list(FOLDER.rglob("*.safetensors"))
    assert (FOLDER / "model.safetensors").stat().st_size <= MAX_BYTES
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES_WITH_TOWER
    for path in files:
        with safe_open(path, framework="pt") as tensors:
            kinds = {tensors.get_slice(key).get_dtype() for key in tensors.keys()}  # noqa: SIM118
        assert kinds == {"BF16"}


def test_it_says_what_it_is() -> None:
    settings = read_settings("lisa-tiny")
    assert settings.demo_model
    assert settings.licence == "Apache-2.0"
    assert settings.found_threshold is not None
    assert {"pretrained_with", "trained_with", "calibrated_on"} <= settings.provenance.keys()


def test_the_rooms_it_was_made_with_are_refused() -> None:
    settings = read_settings("lisa-tiny")
    first, last = settings.provenance["room_seeds"]
    for seeds in (range(first, first + 1), range(last - 5, last + 5)):
        with pytest.raises(ConfigurationError, match="trained on rooms"):
            refuse_known_rooms(settings, seeds)


@pytest.mark.slow
def test_it_finds_things_in_unseen_rooms() -> None:
    engine = LisaEngine.from_pretrained("lisa-tiny", found_threshold=None)
    rooms = (generate_room(seed) for seed in range(FIRST_SEED, FIRST_SEED + ROOMS))
    answers = list(ask_about_rooms(engine, rooms, seed=FIRST_SEED, split="train", noise=False))
    figures = summary(answers, threshold=read_settings("lisa-tiny").found_threshold)
    assert figures["giou"] >= MIN_GIOU, figures
    assert figures["found_rate"] >= MIN_FOUND, figures
    assert figures["reject_rate"] >= MIN_REJECTED, figures
    assert figures["target_error_m_median"] <= MAX_MEDIAN_ERROR_M, figures
