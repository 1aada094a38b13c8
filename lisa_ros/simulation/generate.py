"""Write rooms to a folder.

`python -m lisa_ros.simulation.generate OUT --seed 0 --rooms 1000 --workers 2`
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from lisa_ros.errors import LisaError, SimulationError
from lisa_ros.simulation.room import PRESETS, generate_room
from lisa_ros.simulation.storage import ROOMS_PER_SHARD, write_rooms


@dataclass(frozen=True)
class _Job:
    """One shard: its number and the seeds of its rooms."""

    folder: Path
    shard: int
    seeds: range
    preset: str


def generate(folder: Path, seed: int, rooms: int, preset: str, workers: int) -> int:
    """Write the rooms of `seed` .. `seed + rooms - 1`, a shard at a time in each worker."""
    if rooms < 1 or workers < 1:
        raise SimulationError(f"Got --rooms {rooms} --workers {workers}; both must be at least 1.")
    if any(folder.glob("rooms-*.npz")):
        raise SimulationError(f"{folder} already holds rooms; name another folder.")
    seeds = range(seed, seed + rooms)
    jobs = [
        _Job(folder, index, seeds[start : start + ROOMS_PER_SHARD], preset)
        for index, start in enumerate(range(0, rooms, ROOMS_PER_SHARD))
    ]
    written = 0
    # A forked child would inherit the threads of libraries in an unknown state.
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool, tqdm(total=rooms, unit="room", smoothing=0.05) as bar:
        for count in pool.imap_unordered(_write, jobs):
            written += count
            bar.update(count)
    return written


def _write(job: _Job) -> int:
    rooms = (generate_room(seed, job.preset) for seed in job.seeds)
    return write_rooms(job.folder, rooms, first_shard=job.shard)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when all rooms were written."""
    parser = argparse.ArgumentParser(
        prog="python -m lisa_ros.simulation.generate", description=__doc__
    )
    parser.add_argument("out", type=Path, help="a folder for the shards")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first room")
    parser.add_argument("--rooms", type=int, default=1000, help="how many rooms")
    parser.add_argument("--preset", choices=PRESETS, default="tabletop")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    try:
        written = generate(
            options.out, options.seed, options.rooms, options.preset, options.workers
        )
    except LisaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{written} rooms in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
