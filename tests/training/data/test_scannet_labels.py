"""ScanNet's label table with its ambiguities, and which scans belong together."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lisa_ros.errors import DatasetError
from training.data.scannet.labels import NYU40_NAMES, read_labels
from training.data.scannet.meta import read_meta
from training.data.scannet.splits import (
    read_split,
    reason_seg_scans,
    space_of,
    split_by_space,
    without_spaces_of,
)

TABLE = Path(__file__).parent / "fixtures" / "scannet" / "scannetv2-labels.combined.tsv"


def test_names_are_the_key_and_numbers_are_ambiguous() -> None:
    table = read_labels(TABLE)
    assert table.by_name["boxes"].id == table.by_name["box"].id == 26
    assert table.by_name["test widget left"].nyu40id == 38
    assert table.by_name["test widget right"].nyu40id == 40
    assert table.ambiguous_ids() == {9001: (38, 40)}


def test_nyu40_names_are_in_their_places() -> None:
    assert len(NYU40_NAMES) == 41
    known = {14: "desk", 24: "refrigerator", 34: "sink", 39: "otherfurniture"}
    assert {number: NYU40_NAMES[number] for number in known} == known
    header, *rows = (line.split("\t") for line in TABLE.read_text().splitlines())
    for row in rows:
        cells = dict(zip(header, row, strict=True))
        assert NYU40_NAMES[int(cells["nyu40id"])] == cells["nyu40class"]


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('nyu40id\tsome\traw_category\tid\r\n7\t\t3-hole "punch\t40\r\n')
    assert [(row.id, row.raw_category, row.nyu40id) for row in read_labels(path).rows] == [
        (40, '3-hole "punch', 7)
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column id, raw_category, nyu40id"),
        ("category\tcount\nwall\t1\n", "no column id"),
        ("id\traw_category\tnyu40id\n1\twall\n", "line 2"),
        ("id\traw_category\tnyu40id\n1\twall\t1\nx\tdoor\t8\n", "line 3"),
        ("id\traw_category\tnyu40id\n1\twall\t41\n", "nyu40id of 0 to 40"),
        ("id\traw_category\tnyu40id\n1\t \t1\n", "line 2: the raw_category is empty"),
        ("id\traw_category\tnyu40id\n1\t[SEG]\t1\n", "line 2: the raw_category holds"),
        ("id\traw_category\tnyu40id\n99999\twall\t1\n", "16 bits"),
        ("id\traw_category\tnyu40id\n1\twall\t1\n2\twall\t1\n", "line 3.*twice"),
    ],
)
def test_tables_that_cannot_be_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_labels(path)


def test_blank_lines_of_a_table_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("id\traw_category\tnyu40id\n\n1\twall\t1\n\n")
    assert [row.raw_category for row in read_labels(path).rows] == ["wall"]


def test_splits_are_sorted_and_need_no_last_newline(tmp_path: Path) -> None:
    path = tmp_path / "scannetv2_train.txt"
    path.write_text("scene0191_01\r\nscene0000_00\n\nscene0191_00")
    assert read_split(path) == ("scene0000_00", "scene0191_00", "scene0191_01")
    path.write_text("")
    assert read_split(path) == ()


@pytest.mark.parametrize("text", ["scene0000_00\nscene0000_00", "scene0_0", "../scene0000_00"])
def test_splits_that_cannot_be_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scannetv2_train.txt"
    path.write_text(text)
    with pytest.raises(DatasetError, match="line"):
        read_split(path)


def test_own_splits_share_no_space() -> None:
    scans = [f"scene{space:04d}_{scan:02d}" for space in range(50) for scan in range(1 + space % 3)]
    first, second = split_by_space(scans, 0.2, np.random.default_rng(1))
    assert sorted(first + second) == scans
    spaces = [{space_of(scan) for scan in part} for part in (first, second)]
    assert not spaces[0] & spaces[1]
    assert len(spaces[1]) == 10
    again = split_by_space(reversed(scans), 0.2, np.random.default_rng(1))
    assert again == (first, second)
    assert split_by_space(scans, 0.2, np.random.default_rng(2)) != again


def test_spaces_that_reason_seg_shows_are_left_out(tmp_path: Path) -> None:
    names = {
        "val": ["scene0104_00_0.jpg", "scene0104_00_0.json", "3588328_892066223b_o.jpg"],
        "test": ["scene0707_02_9 (1).jpg", "scene12_00_1.jpg", "123_scene0007_00_1.jpg"],
        "train": ["scene0002_00_3.jpg"],
    }
    for split, files in names.items():
        (tmp_path / split).mkdir()
        for file in files:
            (tmp_path / split / file).touch()
    assert reason_seg_scans(tmp_path) == {"scene0104_00", "scene0707_02"}
    shutil.rmtree(tmp_path / "test")  # a download of its own
    seen = reason_seg_scans(tmp_path)
    assert seen == {"scene0104_00"}
    scans = ["scene0002_00", "scene0104_00", "scene0104_01", "scene0105_00"]
    assert without_spaces_of(scans, seen) == ("scene0002_00", "scene0105_00")
    with pytest.raises(DatasetError, match="none of the folders"):
        reason_seg_scans(tmp_path / "elsewhere")


def test_files_that_a_windows_editor_has_saved(tmp_path: Path) -> None:
    """With a byte order mark and other ends of lines."""

    def saved(name: str, text: str) -> Path:
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
        return tmp_path / name

    table = read_labels(saved("labels.tsv", "id\traw_category\tnyu40id\n130\tcup\t40\n"))
    assert table.by_name["cup"].id == 130
    split = read_split(saved("split.txt", "scene0001_00\nscene0000_01"))
    assert split == ("scene0000_01", "scene0001_00")
    meta = read_meta(saved("scan.txt", "numColorFrames = 7\nsceneType = Office\n"))
    assert (meta.num_color_frames, meta.scene_type) == (7, "Office")
