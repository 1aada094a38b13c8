"""Records that several processes store, some of which are killed while they do."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.record_shards import ENTRY_BYTES, KEY_BYTES, RecordShards

RECORD_BYTES = 24


def key(number: int) -> bytes:
    return number.to_bytes(KEY_BYTES, "little")


def record(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, RECORD_BYTES).astype(np.uint8)


def open_shards(folder: Path, writer: str = "w") -> RecordShards:
    return RecordShards(folder, RECORD_BYTES, writer)


def holds(shards: RecordShards, number: int) -> bool:
    """Whether a record is there; what is there must be right."""
    found = shards.get(key(number))
    if found is not None:
        np.testing.assert_array_equal(found, record(number))
    return found is not None


def in_child(action: Callable[[], None]) -> int:
    """Fork, run the action, and exit with 0 if nothing was raised. Gives the process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        action()
        status = 0
    finally:
        os._exit(status)


def ended(child: int) -> int:
    """Wait for a child; its exit status, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_after(n_bytes: int) -> None:
    """Let this process be killed when it has written so many bytes more."""
    write, left = os.pwrite, n_bytes

    def limited(descriptor: int, content: memoryview, offset: int) -> int:
        nonlocal left
        written = write(descriptor, content[:left], offset)
        left -= written
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return written

    os.pwrite = limited


def test_what_is_stored_is_found_now_and_later(tmp_path: Path) -> None:
    shards = open_shards(tmp_path)
    assert not holds(shards, 0)
    for number in range(5):
        shards.append(key(number), record(number))
        shards.append(key(number), record(99))  # known already: left as it is
    assert all(holds(shards, number) for number in range(5))
    again = open_shards(tmp_path)
    assert len(again) == 5
    assert all(holds(again, number) for number in range(5))
    assert not holds(again, 5)


def test_reading_makes_no_files_and_writing_leaves_old_ones_as_they_are(tmp_path: Path) -> None:
    first = open_shards(tmp_path)
    first.append(key(0), record(0))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    second = open_shards(tmp_path)
    assert holds(second, 0)
    assert {path.name for path in tmp_path.iterdir()} == set(before)
    second.append(key(1), record(1))
    assert len(list(tmp_path.iterdir())) == 2 * len(before)
    assert all((tmp_path / name).read_bytes() == content for name, content in before.items())


@pytest.mark.slow
@pytest.mark.parametrize("n_bytes", range(1, 2 * (RECORD_BYTES + ENTRY_BYTES) + 1))
def test_a_writer_killed_at_any_byte_loses_only_what_it_was_writing(
    tmp_path: Path, n_bytes: int
) -> None:
    open_shards(tmp_path).append(key(0), record(0))

    def write() -> None:
        shards = open_shards(tmp_path)
        die_after(n_bytes)
        for number in (1, 2, 3):
            shards.append(key(number), record(number))

    assert ended(in_child(write)) == -signal.SIGKILL
    shards = open_shards(tmp_path)
    whole = n_bytes // (RECORD_BYTES + ENTRY_BYTES)
    assert [holds(shards, number) for number in range(4)] == [n <= whole for n in range(4)]
    for number in range(4):
        shards.append(key(number), record(number))
    again = open_shards(tmp_path)
    assert all(holds(again, number) for number in range(4))


def test_a_flipped_bit_of_an_index_loses_that_entry_and_no_other(tmp_path: Path) -> None:
    shards = open_shards(tmp_path)
    for number in range(3):
        shards.append(key(number), record(number))
    (index,) = tmp_path.glob("*.index")
    content = index.read_bytes()
    for bit in range(8 * ENTRY_BYTES, 16 * ENTRY_BYTES):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        index.write_bytes(damaged)
        read = open_shards(tmp_path)
        assert [holds(read, number) for number in range(3)] == [True, False, True]


@pytest.mark.parametrize("writer", ["a", "z"])  # found before, and after, the damaged one
def test_a_damaged_record_is_absent_and_can_be_stored_again(tmp_path: Path, writer: str) -> None:
    first = open_shards(tmp_path, "m")
    for number in range(3):
        first.append(key(number), record(number))
    (data,) = tmp_path.glob("*.data")
    content = bytearray(data.read_bytes())
    content[RECORD_BYTES + 7] ^= 4
    data.write_bytes(content)

    shards = open_shards(tmp_path, writer)
    assert [holds(shards, number) for number in range(3)] == [True, False, True]
    shards.append(key(1), record(1))
    assert holds(shards, 1)
    again = open_shards(tmp_path, writer)
    assert [holds(again, number) for number in range(3)] == [True, True, True]


@pytest.mark.parametrize("size", [0, RECORD_BYTES - 1, RECORD_BYTES, 2 * RECORD_BYTES - 1])
def test_data_that_a_power_failure_took_are_absent(tmp_path: Path, size: int) -> None:
    first = open_shards(tmp_path)
    for number in range(2):
        first.append(key(number), record(number))
    (data,) = tmp_path.glob("*.data")
    data.write_bytes(data.read_bytes()[:size])
    shards = open_shards(tmp_path)
    assert [holds(shards, number) for number in range(2)] == [size >= RECORD_BYTES, False]


def test_processes_that_write_at_once_see_what_the_others_stored(tmp_path: Path) -> None:
    reader, n_writers, n_each = open_shards(tmp_path), 3, 40

    def write(writer: int) -> None:
        shards = open_shards(tmp_path)
        for step in range(n_each):
            number = writer * n_each // 2 + step  # half of them are the next writer's too
            if not holds(shards, number):
                shards.append(key(number), record(number))
            assert holds(shards, number)

    children = [in_child(lambda writer=writer: write(writer)) for writer in range(n_writers)]
    assert [ended(child) for child in children] == [0] * n_writers
    assert all(holds(reader, number) for number in range((n_writers + 1) * n_each // 2))
    assert len(list(tmp_path.glob("*.data"))) <= n_writers


def test_a_fork_does_not_go_on_with_the_shard_of_its_parent(tmp_path: Path) -> None:
    shards = open_shards(tmp_path)
    shards.append(key(0), record(0))
    child = in_child(lambda: shards.append(key(1), record(1)))
    shards.append(key(2), record(2))
    assert ended(child) == 0
    assert len(list(tmp_path.glob("*.data"))) == 2
    assert all(holds(shards, number) for number in range(3))


def test_a_write_that_failed_half_way_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = open_shards(tmp_path)
    shards.append(key(0), record(0))
    write = os.pwrite

    def full_disk(descriptor: int, content: memoryview, offset: int) -> int:
        write(descriptor, content[:5], offset)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full_disk)
        with pytest.raises(OSError, match="No space"):
            shards.append(key(1), record(1))
    shards.append(key(2), record(2))
    again = open_shards(tmp_path)
    assert [holds(again, number) for number in range(3)] == [True, False, True]
