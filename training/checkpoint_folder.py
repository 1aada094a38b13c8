"""Where a checkpoint may be written: writing one replaces the whole folder."""

from __future__ import annotations

from pathlib import Path

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.checkpoint import SETTINGS_FILE


def check_replaceable(out: Path) -> None:
    """Let nothing be replaced but a checkpoint that this package wrote.

    Raises:
        ConfigurationError: something else is there, such as a run or somebody's files.

    """
    empty = out.is_dir() and not any(out.iterdir())
    if out.exists() and not empty and not (out / SETTINGS_FILE).is_file():
        raise ConfigurationError(
            f"{out} exists and is no checkpoint with a {SETTINGS_FILE}; what is in it would be "
            "lost. Choose a folder that does not exist."
        )
