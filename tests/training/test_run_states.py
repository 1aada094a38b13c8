"""States of two machines that share no disk, one of which dies while they are written."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lisa_ros.errors import CheckpointCorruptError, ConfigurationError
from training import run_states
from training.ranks import ALONE
from training.run_states import Progress, RunStates, newest_state, read_progress

IDENTITY = {"steps": 99}


class Machines:
    """What the ranks of two machines, threads here, wait and gather with."""

    def __init__(self) -> None:
        self.barrier = threading.Barrier(2)
        self.given: dict[int, Any] = {}


class OfMachine:
    """The only rank of a machine; see `Ranks`."""

    def __init__(self, machines: Machines, rank: int) -> None:
        self.machines, self.rank = machines, rank
        self.first, self.first_here = rank == 0, True

    def wait(self) -> None:
        self.machines.barrier.wait(timeout=60)

    def gather_each(self, value: Any) -> list[Any]:
        self.machines.given[self.rank] = value
        self.wait()
        given = [self.machines.given[rank] for rank in range(2)]
        self.wait()
        return given


class KilledError(Exception):
    """What ends a machine here."""


def on_both(outs: list[Path], action: Callable[[RunStates], Any]) -> list[Any]:
    """Start two machines, let them do something, and return what each said, or its error."""
    machines = Machines()

    def on(rank: int) -> Any:
        try:
            return action(RunStates(outs[rank], OfMachine(machines, rank)))  # type: ignore[arg-type]
        except Exception as error:
            machines.barrier.abort()
            return error

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(on, range(2)))


def save(states: RunStates, step: int) -> None:
    states.save(Progress(step, IDENTITY), lambda folder, keeper: (folder / "w").write_text("w"))


def last_step(states: RunStates) -> int | None:
    progress = states.last(IDENTITY)
    return None if progress is None else progress.step


@pytest.fixture
def outs(tmp_path: Path) -> list[Path]:
    found = [tmp_path / "machine0", tmp_path / "machine1"]
    for out in found:
        out.mkdir()
    return found


def test_a_machine_that_dies_before_its_state_is_in_place_costs_only_that_state(
    outs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert on_both(outs, lambda states: save(states, 10)) == [None, None]
    into_place, first_has_it = run_states._into_place, threading.Event()

    def dies_on_the_second(aside: Path, final: Path) -> None:
        if final.parent.parent == outs[1]:
            first_has_it.wait(timeout=60)
            raise KilledError
        into_place(aside, final)
        first_has_it.set()

    with monkeypatch.context() as patch:
        patch.setattr(run_states, "_into_place", dies_on_the_second)
        on_both(outs, lambda states: save(states, 20))
    assert (outs[0] / "states" / "step-00000020").exists()
    assert on_both(outs, last_step) == [10, 10]
    on_both(outs, lambda states: save(states, 20))
    assert on_both(outs, last_step) == [20, 20]
    for out in outs:
        assert [path.name for path in (out / "states").iterdir()] == ["step-00000020"]


def test_machines_that_agree_on_no_state_do_not_start_again(outs: list[Path]) -> None:
    on_both(outs, lambda states: save(states, 10))
    shutil.rmtree(outs[1] / "states")  # a new disk
    errors = on_both(outs, last_step)
    assert any(isinstance(error, ConfigurationError) for error in errors)
    assert any("[[10], []]" in str(error) for error in errors)
    assert read_progress(outs[0] / "states" / "step-00000010").step == 10


@pytest.mark.parametrize("step", [20, 10])  # 10 is dropped for a newer one, or done once more
def test_a_run_killed_while_it_removes_a_state_leaves_none_that_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    states = RunStates(tmp_path, ALONE)
    save(states, 10)

    def dies(folder: Path) -> None:
        (folder / "progress.json").unlink()
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", dies)
        with pytest.raises(KilledError):
            save(states, step)
    for path in (tmp_path / "states").glob("step-????????"):
        assert read_progress(path).step == int(path.name[-8:])
    restarted = RunStates(tmp_path, ALONE)
    restarted.last(IDENTITY)
    save(restarted, 30)
    assert [path.name for path in (tmp_path / "states").iterdir()] == ["step-00000030"]


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut off": lambda state: (state / "w").write_text(""),
    "lacks a file": lambda state: (state / "w").unlink(),
    "no progress": lambda state: (state / "progress.json").unlink(),
    "progress cut off": lambda state: (state / "progress.json").write_text('{"step": 20, "id'),
    "progress of nothing": lambda state: (state / "progress.json").write_text("{}"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_state_that_is_not_whole_is_passed_over(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    states = RunStates(tmp_path, ALONE)
    for step in (10, 20):
        progress = Progress(step, IDENTITY, best_step=10, best_score=0.5)
        states.save(progress, lambda folder, keeper: (folder / "w").write_text("weights"))
    damage(states.path(20))
    with pytest.warns(UserWarning, match="step 20 is passed over"):
        assert last_step(states) == 10
    with pytest.warns(UserWarning, match="step 20"):
        assert newest_state(tmp_path) == states.path(10)
    save(states, 20)
    assert last_step(states) == 20


def test_a_run_with_no_state_that_is_whole_does_not_start_again(tmp_path: Path) -> None:
    states = RunStates(tmp_path, ALONE)
    save(states, 10)
    (states.path(10) / "w").unlink()
    with (
        pytest.warns(UserWarning, match="w has 0 of 1 bytes"),
        pytest.raises(CheckpointCorruptError, match=r"\[10\], none of which is whole"),
    ):
        last_step(states)


def test_the_best_state_is_exported_or_none(tmp_path: Path) -> None:
    states = RunStates(tmp_path, ALONE)
    for step in (10, 20):
        progress = Progress(step, IDENTITY, best_step=10, best_score=0.5)
        states.save(progress, lambda folder, keeper: (folder / "w").write_text("weights"))
    (states.path(10) / "w").write_text("")
    with (
        pytest.warns(UserWarning, match="step 10"),
        pytest.raises(CheckpointCorruptError, match="the best of the run, is not whole"),
    ):
        newest_state(tmp_path)


def test_a_full_disk_costs_the_state_that_is_being_written_only(tmp_path: Path) -> None:
    states = RunStates(tmp_path, ALONE)
    save(states, 10)

    def full(folder: Path, keeper: bool) -> None:
        (folder / "w").write_text("w")
        raise OSError(28, "No space left on device")

    with pytest.raises(ConfigurationError, match=r"after 20 steps .* No space left on device"):
        states.save(Progress(20, IDENTITY), full)
    assert last_step(RunStates(tmp_path, ALONE)) == 10
