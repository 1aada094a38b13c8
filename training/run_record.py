"""What is kept beside a run's weights: configuration, revision of the code, counts of the data."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

import lisa_ros
from lisa_ros.durable_files import replace_json, replace_text
from lisa_ros.errors import ConfigurationError
from training.data.mixture import Mixture
from training.run_config import RunConfig

CONFIG_FILE = "config.yaml"
RECORD_FILE = "run.json"
START_WEIGHTS = "start_weights"  # in the record: see `start.weights_digest`
# What may differ between the sittings of one run.
_FREE = ("out", "save_every", "workers", "tensorboard", "features", "dry_run")


def identity_of(config: RunConfig, start_digest: str, world: int) -> dict[str, Any]:
    """What must be equal for a run to go on: all but where and how often it is written."""
    settings = {k: v for k, v in plain(dataclasses.asdict(config)).items() if k not in _FREE}
    return {**settings, "start_digest": start_digest, "ranks": world}


def parameter_numbers(model: nn.Module) -> dict[str, int]:
    """How many parameters there are, and how many learn; before an engine packs or splits them."""
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "parameters_learning": learning,
    }


def write_record(
    out: Path, config: RunConfig, mixture: Mixture, model: Mapping[str, int | str]
) -> None:
    """Write `config.yaml`, every default spelled out, and `run.json`.

    model: what is to be said of it, by name.
    """
    resolved = plain(dataclasses.asdict(config))
    replace_text(out / CONFIG_FILE, yaml.safe_dump(resolved, sort_keys=False))
    drawn = mixture.counts(range(config.steps * config.images_per_step))
    record = {
        "lisa_ros": lisa_ros.__version__,
        "torch": torch.__version__,
        "git_revision": git_revision(),
        **model,
        "datasets": {
            dataset.name: {
                "group": group.name,
                "images": len(dataset),
                "drawn": drawn[dataset.name],
                **dataset.counts(),
            }
            for group in mixture.groups
            for dataset in group.datasets
        },
    }
    replace_json(out / RECORD_FILE, record)


def check_same_data(out: Path, mixture: Mixture) -> None:
    """Refuse to go on with other data than a run has learned from, as its record tells.

    Which image the n-th sample is, depends on how many there are.

    Raises:
        ConfigurationError: a dataset has more images than it had, or fewer.

    """
    if not (out / RECORD_FILE).exists():
        return
    known = json.loads((out / RECORD_FILE).read_text(encoding="utf-8"))["datasets"]
    now = {dataset.name: len(dataset) for group in mixture.groups for dataset in group.datasets}
    for name, images in now.items():
        before = known.get(name, {}).get("images")
        if before != images:
            raise ConfigurationError(
                f"{name} had {before} images when the run in {out} started, now it has {images}. "
                "Choose another `out`, or remove that folder to start again."
            )


def git_revision() -> str | None:
    """The commit that this code is at, with "+changes" where files differ; None outside git."""
    here = Path(__file__).parent
    try:
        commit = _git(here, "rev-parse", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no")
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return f"{commit}+changes" if changed else commit


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def plain(value: Any) -> Any:
    """The value with lists for tuples, as YAML and JSON know them."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
