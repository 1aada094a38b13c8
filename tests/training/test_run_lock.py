"""One run at a time in a folder."""

from __future__ import annotations

import errno
import multiprocessing
from pathlib import Path

import pytest
from run_setup import run_training, start_training, write_run

from lisa_ros.errors import ConfigurationError
from training.run_lock import only_run_in


@pytest.mark.slow
def test_a_second_run_is_refused_and_a_third_is_not(tmp_path: Path) -> None:
    config = write_run(tmp_path)
    context = multiprocessing.get_context("spawn")
    inside, done = context.Event(), context.Event()
    holder = context.Process(target=hold, args=(tmp_path / "run", inside, done))
    holder.start()
    try:
        assert inside.wait(60)
        refused = start_training(config)
        output, _ = refused.communicate(timeout=120)
        assert refused.returncode == 1
        assert f"error: Another process is training in {tmp_path / 'run'}." in output
        assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]
    finally:
        holder.kill()
        holder.join()
    run_training(config, "steps=2")


@pytest.mark.parametrize("out", ["file", "file/below", "/proc/none"])
def test_a_folder_that_cannot_be_is_an_error(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="another `out`"), only_run_in(tmp_path / out):
        pass


def hold(out: Path, inside, done) -> None:  # type: ignore[no-untyped-def]
    with only_run_in(out):
        inside.set()
        done.wait()


def test_a_disk_without_locks_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.lockf", refuse)
    with pytest.warns(UserWarning, match="cannot be locked"), only_run_in(tmp_path):
        pass
    monkeypatch.setattr("fcntl.lockf", lambda *_: (_ for _ in ()).throw(BlockingIOError()))
    with pytest.raises(ConfigurationError, match="Another process"), only_run_in(tmp_path):
        pass
