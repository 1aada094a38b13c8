"""config.json and lisa.json: what is needed, what is tolerated, what is refused by name."""

from __future__ import annotations

import dataclasses
import json

import pytest
from random_lisa import GOLDEN, LISA_SIZES

from lisa_ros.errors import CheckpointMismatchError, ConfigurationError
from lisa_ros.model.config import LisaConfig
from lisa_ros.model.settings import LisaSettings

RELEASED = json.loads((GOLDEN / "ckpt_a" / "config.json").read_text())


def test_a_released_config_is_read() -> None:
    config = LisaConfig.from_json(RELEASED)
    assert (config.vocab_size, config.hidden_size, config.out_dim) == (707, 64, 32)
    assert config.mm_vision_select_layer == -2
    assert config.vision_tower == "clip-vit-tiny-patch14"
    assert config.other["image_aspect_ratio"] == "square"


def test_an_export_keeps_every_field() -> None:
    config = LisaConfig.from_json(RELEASED)
    exported = json.loads(json.dumps(config.to_json()))
    assert LisaConfig.from_json(exported) == config
    assert {name: exported[name] for name in RELEASED} == RELEASED
    assert LisaConfig.from_json(LISA_SIZES.to_json()) == LISA_SIZES


NEEDED = [
    field.name
    for field in dataclasses.fields(LisaConfig)
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
]


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_field_is_named(name: str) -> None:
    data = {k: v for k, v in RELEASED.items() if k not in (name, "mm_vision_tower")}
    with pytest.raises(CheckpointMismatchError, match=name):
        LisaConfig.from_json(data)


def test_the_vision_tower_has_two_names() -> None:
    data = {k: v for k, v in RELEASED.items() if k != "vision_tower"}
    assert LisaConfig.from_json(data).vision_tower == "clip-vit-tiny-patch14"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_size", "64"),
        ("hidden_size", True),
        ("hidden_size", 66),
        ("rms_norm_eps", "small"),
        ("vision_tower", 3),
        ("rope_scaling", 2.0),
        ("hidden_size", 0),
        ("num_attention_heads", 0),
        ("num_attention_heads", 3),
        ("num_key_value_heads", 3),
        ("num_hidden_layers", 10**9),
        ("rms_norm_eps", float("nan")),
        ("rope_theta", float("inf")),
        ("mm_use_im_start_end", "yes"),
        ("mm_use_im_start_end", False),
        ("mm_projector_type", "resampler"),
        ("mm_vision_select_feature", "cls"),
    ],
)
def test_a_wrong_field_is_named(name: str, value: object) -> None:
    with pytest.raises(CheckpointMismatchError, match=name):
        LisaConfig.from_json({**RELEASED, name: value})


def test_settings_survive_json() -> None:
    settings = LisaSettings(
        found_threshold=0.5,
        reliability=((0.25, 0.0), (0.75, 1.0)),
        view="letterbox",
        prompt_template="Find: {instruction}",
        conversation="llava_llama_2",
        demo_model=True,
        licence="Apache-2.0",
        training_data="simulated rooms",
        provenance={"seed": 1},
    )
    assert LisaSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert LisaSettings.from_json({}) == LisaSettings()
    assert LisaSettings().found_threshold is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("found_threshold", 1.5),
        ("found_threshold", "0.5"),
        ("found_threshold", True),
        ("reliability", "often"),
        ("reliability", [0.5, 0.9]),
        ("reliability", [[0.5]]),
        ("reliability", [[0.5, True]]),
        ("reliability", [[0.5, float("nan")]]),
        ("reliability", [[0.5, 1.5]]),
        ("reliability", [[0.5, 0.8], [0.5, 0.9]]),
        ("reliability", [[0.5, 0.8], [0.9, 0.7]]),
        ("view", "fisheye"),
        ("view", 3),
        ("prompt_template", "no field"),
        ("conversation", "vicuna"),
        ("demo_model", 1),
        ("provenance", "a string"),
        ("treshold", 0.5),
    ],
)
def test_a_wrong_setting_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError):
        LisaSettings.from_json({name: value})
