"""What a run starts from, and in which template it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from random_lisa import write_random_lisa

from lisa_ros.errors import ConfigurationError
from training.run_config import Start
from training.start import load_start


def test_a_released_lisa_is_told_its_template_and_view(tmp_path: Path) -> None:
    folder = tmp_path / "released"
    write_random_lisa(folder)
    (folder / "lisa.json").unlink()
    plain = load_start(Start(lisa=str(folder)), tmp_path, 0, weights=False).settings
    assert (plain.conversation, plain.view) == ("llava_v1", "center")
    start = Start(lisa=str(folder), conversation="llava_llama_2", view="letterbox")
    told = load_start(start, tmp_path, 0, weights=False).settings
    assert (told.conversation, told.view) == ("llava_llama_2", "letterbox")


def test_a_lisa_that_says_its_template_is_not_told_another(tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    write_random_lisa(folder)
    start = Start(lisa=str(folder), conversation="llava_llama_2")
    with pytest.raises(ConfigurationError, match=r"llava_llama_2, but .* says llava_v1"):
        load_start(start, tmp_path, 0, weights=False)
