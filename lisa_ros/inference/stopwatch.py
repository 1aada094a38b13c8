"""Where the time of an answer goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """Milliseconds by stage. On a GPU a stage ends when its work is done, not when it is queued."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.timings_ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to the stage."""
        self._synchronise()
        start = time.perf_counter()
        yield
        self._synchronise()
        elapsed_ms = (time.perf_counter() - start) * 1e3
        self.timings_ms[name] = self.timings_ms.get(name, 0.0) + elapsed_ms

    def _synchronise(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
