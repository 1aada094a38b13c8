"""Rooms that all tests of this folder look at: made once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from lisa_ros.simulation import room as room_module
from lisa_ros.simulation.room import Room, generate_room


@pytest.fixture(scope="session")
def rooms() -> Sequence[Room]:
    return tuple(generate_room(seed) for seed in range(48))


@pytest.fixture(scope="session")
def many_rooms() -> Sequence[Room]:
    """Enough rooms for statistics. Colour, which costs most of the time, is left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room_module, "shade", lambda *_: np.zeros((1, 1, 3), np.uint8))
        return tuple(generate_room(seed) for seed in range(1000, 1200))
