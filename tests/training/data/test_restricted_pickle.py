"""Pickles of referring sets: plain data comes out as it went in, nothing else comes out at all."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from lisa_ros.errors import DatasetError
from training.data.restricted_pickle import load_plain_pickle

PLAIN = [
    {"ref_id": 7, "sent": "the man", "box": (1.5, -2, 0.0), "none": None, "yes": True},
    {"big": 2**70, "empty": [[], {}, ()], "text": "café"},
]
PLAIN[0]["shared"] = PLAIN[1]["empty"]


def _written(folder: Path, content: bytes) -> Path:
    path = folder / "refs(unc).p"
    path.write_bytes(content)
    return path


class _RunsSomething:
    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self._trace),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_comes_out_as_it_went_in(tmp_path: Path, protocol: int) -> None:
    path = _written(tmp_path, pickle.dumps(PLAIN, protocol))
    assert load_plain_pickle(path) == PLAIN


def test_byte_strings_of_python_2_are_latin_1(tmp_path: Path) -> None:
    # What Python 2's cPickle writes for ['caf\xe9', u'man', 3L].
    path = _written(tmp_path, b"\x80\x02]q\x01(U\x04caf\xe9X\x03\x00\x00\x00man\x8a\x01\x03e.")
    assert load_plain_pickle(path) == ["café", "man", 3]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_is_executed(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "trace"
    path = _written(tmp_path, pickle.dumps([_RunsSomething(trace)], protocol))
    with pytest.raises(DatasetError, match="more than plain data"):
        load_plain_pickle(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())  # it would have worked
    assert trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(V1+1\ntR.",
        b"(V1+1\nibuiltins\neval\n.",
        b"\x80\x02(cbuiltins\neval\nV1+1\no.",
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x031+1\x85R.",
        b"\x80\x02\x82\x01.",
        b"Pid\n.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.",
        pickle.dumps(1 << 20_000, 2),  # more digits than Python turns to text, as a message would
    ],
    ids=[
        *("global", "inst", "obj", "stack_global", "extension", "persistent_id", "bytearray"),
        "endless number",
    ],
)
def test_no_instruction_looks_anything_up(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DatasetError, match="more than plain data"):
        load_plain_pickle(_written(tmp_path, content))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"\x80\x63.",
        b".",
        b"]h\x09.",
        b"](]K\x01s.",
        b"I12x\n.",
        b"K\x01K\x02a.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"X\xff\xff\xff\x7f",
        pickle.dumps(PLAIN)[:-9],
    ],
    ids=[
        *("empty", "json", "protocol", "stop alone", "memo", "set item", "number", "append"),
        *("frame", "length", "cut"),
    ],
)
def test_malformed_bytes_are_an_error_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DatasetError, match=r"refs\(unc\)\.p"):
        load_plain_pickle(_written(tmp_path, content))


def test_a_huge_memo_index_allocates_nothing(tmp_path: Path) -> None:
    # The interpreter in C answers this with 64 GB.
    path = _written(tmp_path, b"]r\xff\xff\xff\xff.")
    assert load_plain_pickle(path) == []


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere"):
        load_plain_pickle(tmp_path / "nowhere.p")
