from __future__ import annotations

from pathlib import Path

import pytest
from checkpoint_folders import save_tiny
from random_lisa import random_network

from lisa_ros.model.lisa import LisaForCausalLM


@pytest.fixture(scope="session")
def tiny_model() -> LisaForCausalLM:
    return random_network()


@pytest.fixture
def tiny_checkpoint(tiny_model: LisaForCausalLM, tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    save_tiny(folder, tiny_model)
    return folder
