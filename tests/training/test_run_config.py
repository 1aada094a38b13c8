"""What a run may be told, and what contradicts itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lisa_ros.errors import ConfigurationError
from training.config import load_config
from training.ranks import Ranks
from training.run_config import RunConfig
from training.run_data import numbers_of_step

LAB = {"kind": "lab", "folder": "lab"}
TALK = {"kind": "llava_instruct", "folder": "dataset", "options": {"val_share": 0.1}}
TALKED = {
    "data": [{"name": "talk", "weight": 1, "datasets": [{**TALK, "options": {}}]}],
    "validation": {"data": LAB, "every": 1},
}


def load(folder: Path, **changes: Any) -> RunConfig:
    content = {
        "out": "runs/x",
        "start": {"lisa": "lisa-tiny"},
        "data": [{"name": "lab", "weight": 1, "datasets": [LAB]}],
        "steps": 3,
        **changes,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_config(RunConfig, path)


def test_nested_lists_of_sections_are_read(tmp_path: Path) -> None:
    config = load(tmp_path, lora=None, optimisation={"schedule": "cosine"})
    (source,) = config.data[0].datasets
    assert (source.kind, source.split, source.options, source.cache) == ("lab", None, {}, False)
    assert config.lora is None
    assert config.optimisation.schedule == "cosine"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": {}}, "name either `lisa`"),
        ({"start": {"llava": "a"}}, "both `llava` and `sam`"),
        ({"start": {"lisa": "a", "llava": "b", "sam": "c"}}, "name either"),
        ({"steps": 0}, "steps is 0"),
        ({"precision": "fp16"}, "loss scaling"),
        ({"precision": "fp8"}, "choose one of bf16, fp16, fp32"),
        ({"optimisation": {"schedule": "step"}}, "choose one of linear, cosine"),
        ({"deepspeed": {"zero_stage": 4}}, "choose 1, 2 or 3"),
        ({"deepspeed": {"zero_stage": 0}}, "deepspeed: null"),  # what it saves, cannot be exported
        ({"deepspeed": {"offload_weights": True}}, "needs zero_stage: 3"),
        ({"data": [{"name": "a", "weight": 1, "datasets": [{**LAB, "cache": True}]}]}, "features"),
        ({"watched": [LAB]}, "add `validation`"),
        ({**TALKED, "watched": [TALK]}, "watch `split: val`"),
        ({**TALKED, "watched": [{**TALK, "split": "val"}]}, "val_share 0.01 and 0.1"),
        ({"lora": {"quantise": "nf4"}, "deepspeed": {"zero_stage": 3}}, "ZeRO 3"),
        ({"start": {"lisa": "a", "vision_tower": "b"}}, "goes with `llava`"),
        ({"validation": {"data": LAB, "every": 0}}, "validation.every is 0"),
        ({"validation": {"data": {**LAB, "cache": True}, "every": 1}}, "with `data` only"),
        ({"validation": {"data": {**LAB, "vary": {}}, "every": 1}}, "with `data` only"),
        (
            {"data": [{"name": "a", "weight": 1, "datasets": [{**LAB, "vary": {"crops": 0}}]}]},
            "crops is 0",
        ),
        (
            {
                "data": [
                    {"name": "a", "weight": 1, "datasets": [{**LAB, "vary": {}, "cache": True}]}
                ]
            },
            "Leave out one",
        ),
        ({"validation": {"data": LAB, "every": 1, "images": 0}}, "validation.images is 0"),
        ({"optimisation": {"betas": [0.9]}}, r"betas is \[0.9\]; expected two numbers"),
        ({"optimisation": {"learning_rate": float("nan")}}, "learning_rate is nan"),
        ({"optimisation": {"clip_norm": 0}}, "clip_norm is 0.0; expected more than 0"),
        ({"optimisation": {"warmup_steps": -1}}, "warmup_steps is -1"),
        ({"lora": {"rank": 0}}, "lora.rank is 0"),
        ({"lora": {"dropout": 1}}, "lora.dropout is 1.0"),
        ({"features": {"folder": "f", "max_gb": 0}}, "max_gb is 0.0"),
        ({"workers": -1}, "workers is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**64}, "seed is 18446744073709551616"),
        ({"out": ""}, "out is ''"),
        ({"features": {"folder": "", "max_gb": 1}}, "features.folder is ''"),
        ({"head_weight": float("inf")}, "head_weight is inf"),
        ({"optimisation": {"learning_rate": float("inf")}}, "learning_rate is inf"),
        ({"loss": {"bce": float("nan")}}, "loss.bce is nan"),
        ({"loss": {"ce": -1}}, "loss.ce is -1"),
        ({"data": [{"name": "a", "weight": float("inf"), "datasets": [LAB]}]}, "of a is inf"),
        ({"early_mask_share": 2}, "early_mask_share is 2.0"),
    ],
)
def test_contradictions_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load(tmp_path, **changes)


def test_a_step_has_the_same_images_on_any_number_of_ranks(tmp_path: Path) -> None:
    config = load(tmp_path, images_per_step=12, micro_batch=2)
    for step in (0, 7):
        alone = numbers_of_step(config, Ranks(), step)
        assert alone == list(range(step * 12, step * 12 + 12))
        for world in (2, 3, 6):
            shares = [numbers_of_step(config, Ranks(rank, world), step) for rank in range(world)]
            assert [number for share in shares for number in share] == alone
    assert config.accumulation(3) == 2
    with pytest.raises(ConfigurationError, match="no multiple of micro_batch 2 times 4 ranks"):
        config.accumulation(4)
