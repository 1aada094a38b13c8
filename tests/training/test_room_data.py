"""Stored rooms as training data: who gets which, in which order."""

from __future__ import annotations

from pathlib import Path

import pytest
from block_rooms import block_room

from lisa_ros.errors import SimulationError
from lisa_ros.simulation.storage import write_rooms
from training.data.rooms import EpochOrder, load_rooms
from training.ranks import Ranks


def test_ranks_keep_rooms_of_their_own_and_equally_many(tmp_path: Path) -> None:
    write_rooms(tmp_path, [block_room(seed) for seed in range(5)])
    shares = [load_rooms(tmp_path, ranks=Ranks(rank, 2)) for rank in range(2)]
    assert [[room.seed for room in share] for share in shares] == [[0, 2], [1, 3]]
    assert [room.seed for room in load_rooms(tmp_path, limit=3)] == [0, 1, 2]


def test_too_few_rooms_are_refused(tmp_path: Path) -> None:
    write_rooms(tmp_path, [block_room(0)])
    with pytest.raises(SimulationError, match="generate"):
        load_rooms(tmp_path, ranks=Ranks(0, 2))


def test_every_pass_shows_every_room_once_in_a_new_order() -> None:
    order = EpochOrder(n_rooms=6, batch=2, seed=3)
    passes = [[i for step in range(3 * p, 3 * p + 3) for i in order.indices(step)] for p in (0, 1)]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(6))
    assert passes[0] != passes[1]
