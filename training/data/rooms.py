"""Stored simulated rooms as training data."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lisa_ros.errors import SimulationError
from lisa_ros.simulation.room import Room
from lisa_ros.simulation.storage import read_rooms
from training.ranks import ALONE, Ranks


def load_rooms(path: Path, limit: int | None = None, ranks: Ranks = ALONE) -> list[Room]:
    """Read up to `limit` stored rooms into memory (about 0.6 MB a room), with a progress bar.

    Of several ranks each keeps rooms of its own, equally many.

    Raises:
        SimulationError: nothing stored there; says how to make rooms.

    """
    stored = itertools.islice(read_rooms(path), limit)
    bar = tqdm(stored, desc="reading rooms", unit="room", total=limit, disable=not ranks.first)
    rooms, number = [], -1
    for number, room in enumerate(bar):
        if number % ranks.world == ranks.rank:
            rooms.append(room)
    equal = (number + 1) // ranks.world
    if not equal:
        raise SimulationError(
            f"No stored rooms in {path}. Make some: "
            f"python -m lisa_ros.simulation.generate {path} --rooms 1000"
        )
    return rooms[:equal]


@dataclass(frozen=True)
class EpochOrder:
    """Which rooms a step sees: a new permutation for every pass, a function of (seed, step) alone.

    So a resumed run continues with exactly the batches that an uninterrupted one would have seen.
    """

    n_rooms: int
    batch: int
    seed: int

    def indices(self, step: int) -> list[int]:
        """Indices of the rooms of this step, i64[batch]."""
        first = step * self.batch
        return [self._at(position) for position in range(first, first + self.batch)]

    def _at(self, position: int) -> int:
        epoch, place = divmod(position, self.n_rooms)
        return int(self._permutation(epoch)[place])

    def _permutation(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self.seed, epoch]).permutation(self.n_rooms)
