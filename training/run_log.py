"""What a run tells while it goes: a bar, losses.jsonl, TensorBoard."""

from __future__ import annotations

import contextlib
import json
import resource
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from tqdm import tqdm

from lisa_ros.durable_files import replace_text
from lisa_ros.errors import ConfigurationError
from training.ranks import Ranks
from training.run_config import RunConfig

LOSSES_FILE = "losses.jsonl"
_SMOOTHING = 0.1  # of the images per second


class RunLog:
    """One line of losses.jsonl for each step; a resumed run's lines follow as if never stopped.

    Only the first rank writes and shows anything.
    """

    def __init__(self, out: Path, config: RunConfig, first_step: int, ranks: Ranks) -> None:
        self.images_per_step, self.ranks = config.images_per_step, ranks
        self._speed: float | None = None
        self._since = time.monotonic()
        self._stack = contextlib.ExitStack()
        self._file = self._board = None
        self.bar = tqdm(
            total=config.steps, initial=first_step, unit="step", disable=not ranks.first
        )
        self._stack.callback(self.bar.close)
        if ranks.first:
            path = out / LOSSES_FILE
            forget_from(path, first_step)
            self._file = self._stack.enter_context(path.open("a", encoding="utf-8"))
            if config.tensorboard:
                self._board = _summary_writer(out / "tensorboard", first_step)
                self._stack.callback(self._board.close)

    def close(self) -> None:
        """Close the bar and the files."""
        self._stack.close()

    def step(self, step: int, values: Mapping[str, float]) -> None:
        """Tell the losses of a step that is done."""
        now = time.monotonic()
        speed = self.images_per_step / max(now - self._since, 1e-9)
        self._since = now
        last = self._speed
        self._speed = speed if last is None else last + _SMOOTHING * (speed - last)
        self.bar.set_postfix(
            {name: f"{value:.3f}" for name, value in values.items() if name != "learning_rate"}
            | {"images/s": f"{self._speed:.2f}", "memory": f"{memory_gb():.1f} GB"},
            refresh=False,
        )
        self.bar.update()
        self._write(step, {**values, "images_per_s": round(speed, 3)})

    def score(self, step: int, values: Mapping[str, float]) -> None:
        """Tell the scores of a validation after `step` steps."""
        self._say(f"step {step}: " + ", ".join(f"{n} {v:.4f}" for n, v in values.items()))
        self._write(step - 1, values)
        self._since = time.monotonic()

    def warn(self, sentence: str) -> None:
        """Say something that a person should read, above the bar."""
        self._say(f"warning: {sentence}")

    def _say(self, sentence: str) -> None:
        if self.ranks.first:  # a bar that is off would write all the same
            self.bar.write(sentence)

    def _write(self, step: int, values: Mapping[str, float]) -> None:
        if self._file is not None:
            self._file.write(json.dumps({"step": step, **values}) + "\n")
            self._file.flush()
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)


def memory_gb() -> float:
    """The most memory that was in use so far: the GPU's where there is one, else this process's."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def read_losses(out: Path) -> list[dict[str, float]]:
    """The lines of a run's losses.jsonl; one that a killed run left unfinished is left out."""
    return [values for values, _ in _lines(out / LOSSES_FILE)]


def _lines(path: Path) -> Iterator[tuple[dict[str, float], str]]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line), line


def forget_from(path: Path, step: int) -> None:
    """Drop the lines of steps that will be done again from a file of losses."""
    if path.exists():
        replace_text(path, "".join(line for values, line in _lines(path) if values["step"] < step))


def _summary_writer(folder: Path, first_step: int):  # type: ignore[no-untyped-def]
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigurationError(
            "tensorboard is not installed: pip install tensorboard, or set tensorboard=false."
        ) from error
    return SummaryWriter(str(folder), purge_step=first_step)  # type: ignore[no-untyped-call]
