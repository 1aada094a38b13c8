"""The states of a run on disk: the last one, to go on with, and the best one.

    out/states/step-00000500/progress.json   what the loop needs to know
    out/states/step-00000500/...             what the engine wrote

A state is written into a folder with another name, flushed and renamed, and it is renamed before it
is removed: so one that has its final name is whole. What a killed run left half-written, or half
removed, is removed at the next start. One that was damaged afterwards, or copied in part, is known
by the sizes of its files, and passed over.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lisa_ros.durable_files import flush, flush_tree, replace_json
from lisa_ros.errors import (
    CheckpointCorruptError,
    CheckpointNotFoundError,
    ConfigurationError,
)
from training.ranks import Ranks

_PROGRESS = "progress.json"
_NAME = re.compile(r"step-(\d{8})")


@dataclass(frozen=True)
class Progress:
    """How far a run is. step: steps done. identity: what must be equal for a run to go on.

    best_step, best_score: the state with the best validation so far; None without validation.
    baseline: what watched sets scored before the first step. files: the sizes of the files that the
    state has beside this one, on this disk.
    """

    step: int
    identity: dict[str, Any]
    best_step: int | None = None
    best_score: float | None = None
    baseline: dict[str, float] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)


class RunStates:
    """The states in `out/states`, written and read by all ranks together.

    Machines that share no disk each keep the part of their own ranks. Making one is a matter of all
    ranks too: they find out who shares a disk.
    """

    def __init__(self, out: Path, ranks: Ranks) -> None:
        self.folder, self.ranks = out / "states", ranks
        self.folder.mkdir(parents=True, exist_ok=True)
        seen = self._sees_the_first_ranks()
        self._keeper = ranks.first or (ranks.first_here and not seen)

    def _sees_the_first_ranks(self) -> bool:
        """Whether this is the folder that the first rank sees, not one on another disk."""
        token = self.folder / f".seen-by-{self.ranks.gather_each(uuid.uuid4().hex)[0]}"
        if self.ranks.first:
            token.touch()
        self.ranks.wait()
        seen = token.exists()
        self.ranks.wait()
        if self.ranks.first:
            token.unlink()
        return seen

    def save(self, progress: Progress, write: Callable[[Path, bool], None]) -> None:
        """Write a state, and drop those that are neither the last nor the best.

        Older ones stay until all machines have this one. write: the engine's `save`.

        Raises:
            ConfigurationError: the disk is full, or refuses.

        """
        try:
            self._save(progress, write)
        except OSError as error:
            raise ConfigurationError(
                f"The state after {progress.step} steps cannot be written in {self.folder}: "
                f"{error.strerror}. Make room and start again, to go on from the last state."
            ) from error

    def _save(self, progress: Progress, write: Callable[[Path, bool], None]) -> None:
        final = self.path(progress.step)
        aside = final.with_name(f"{final.name}.part")
        aside.mkdir(parents=True, exist_ok=True)
        self.ranks.wait()
        write(aside, self._keeper)
        self.ranks.wait()
        if self._keeper:
            whole = dataclasses.replace(progress, files=_sizes(aside))
            replace_json(aside / _PROGRESS, dataclasses.asdict(whole))
            flush_tree(aside)
        self.ranks.wait()
        if self._keeper:
            _into_place(aside, final)
        self.ranks.wait()
        if self._keeper:
            for step in _steps(self.folder) - {progress.step, progress.best_step}:
                _remove(self.path(step))
        self.ranks.wait()

    def last(self, identity: dict[str, Any]) -> Progress | None:
        """The newest state that every rank has whole; None where none has any.

        Raises:
            CheckpointCorruptError: there are states, none of which is whole.
            ConfigurationError: it is of a run with another configuration; names what differs. Or
                there are states, but none that all machines have.

        """
        if self._keeper:
            for half in self.folder.glob("*.part"):
                shutil.rmtree(half)
        self.ranks.wait()
        each = self.ranks.gather_each(sorted(_whole_steps(self.folder, tell=self._keeper)))
        if not any(each):
            _check_none(self.folder)
            return None
        common = set.intersection(*map(set, each))
        if not common:
            raise ConfigurationError(
                f"The machines of this run have no state in common; by rank, {self.folder} holds "
                f"steps {each}. Bring back what is missing, or remove it everywhere to start again."
            )
        progress = read_progress(self.path(max(common)))
        for name, value in identity.items():
            if progress.identity.get(name) != value:
                raise ConfigurationError(
                    f"{self.folder.parent} holds a run with {name} "
                    f"{progress.identity.get(name)!r}, this one has {value!r}. Choose another "
                    "`out`, or remove that folder to start again."
                )
        return progress

    def path(self, step: int) -> Path:
        """Where the state after `step` steps is."""
        return self.folder / f"step-{step:08d}"


def newest_state(out: Path) -> Path:
    """The best state of a run where it was validated, else the last one.

    Raises:
        CheckpointNotFoundError: there is none.
        CheckpointCorruptError: there are some, none of which is whole, or the best one is not.

    """
    steps = _whole_steps(out / "states", tell=True)
    if not steps:
        _check_none(out / "states")
        raise CheckpointNotFoundError(
            f"{out} holds no state of a run; start one with python -m training.train."
        )
    last = out / "states" / f"step-{max(steps):08d}"
    best = read_progress(last).best_step
    if best is None:
        return last
    state = out / "states" / f"step-{best:08d}"
    if best not in steps:
        raise CheckpointCorruptError(f"{state}, the best of the run, is not whole: {_flaw(state)}.")
    return state


def read_progress(state: Path) -> Progress:
    """The `progress.json` of a state.

    Raises:
        CheckpointCorruptError: it is not there, or is none.

    """
    try:
        return Progress(**json.loads((state / _PROGRESS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointCorruptError(f"{state / _PROGRESS} cannot be read: {error}") from error


def _sizes(state: Path) -> dict[str, int]:
    """Of all files in a folder, by their names in it."""
    files = sorted(path for path in state.rglob("*") if path.is_file())
    return {str(path.relative_to(state)): path.stat().st_size for path in files}


def _flaw(state: Path) -> str | None:
    """What a state lacks to be whole; None where it is."""
    try:
        expected = read_progress(state).files
    except CheckpointCorruptError as error:
        return str(error)
    there = _sizes(state)
    for name, size in expected.items():
        if there.get(name, 0) != size:
            return f"{name} has {there.get(name, 0)} of {size} bytes"
    return None


def _whole_steps(folder: Path, tell: bool) -> set[int]:
    """The steps whose states are whole. tell: warn of the others."""
    flaws = {step: _flaw(folder / f"step-{step:08d}") for step in _steps(folder)}
    for step, flaw in flaws.items():
        if tell and flaw is not None:
            warnings.warn(f"{folder} step {step} is passed over: {flaw}.", stacklevel=3)
    return {step for step, flaw in flaws.items() if flaw is None}


def _check_none(folder: Path) -> None:
    """Raise CheckpointCorruptError where there are states after all: none of them is whole."""
    if steps := _steps(folder):
        raise CheckpointCorruptError(
            f"{folder} holds states of steps {sorted(steps)}, none of which is whole. Bring one "
            "back from a copy, or remove the folder to start again."
        )


def _steps(folder: Path) -> set[int]:
    if not folder.exists():
        return set()
    found = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    return {int(match[1]) for match in found if match}


def _into_place(aside: Path, final: Path) -> None:
    if final.exists():  # the same step, done again after an interruption
        _remove(final)
    aside.rename(final)
    flush(final.parent)


def _remove(state: Path) -> None:
    aside = state.with_name(f"{state.name}.old.part")
    state.rename(aside)
    shutil.rmtree(aside)
