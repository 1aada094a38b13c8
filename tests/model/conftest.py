from __future__ import annotations

from pathlib import Path

import pytest
from tiny_lisa import build_tiny, save_tiny

from lisa_ros.model.lisa import LisaForCausalLM


@pytest.fixture(scope="session")
def tiny_model() -> LisaForCausalLM:
    return build_tiny()


@pytest.fixture
def tiny_checkpoint(tiny_model: LisaForCausalLM, tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    save_tiny(folder, tiny_model)
    return folder
