"""What is wrong in a labelme folder is told, by file and shape, and keeps an import out."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelme_files import (
    HEIGHT,
    SQUARE,
    TRIANGLE,
    WIDTH,
    picture,
    png,
    shape,
    write,
)
from PIL import Image

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.dataset_folder import About
from lisa_ros.recordings.labelme_import import import_labelme, plan_import


def test_what_says_nothing_is_left_out_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write(folder, "a", shape("mug", TRIANGLE))
    write(folder, "empty")
    write(folder, "ignored", shape("ignore", TRIANGLE))
    (folder / "classes.json").write_text('{"names": ["mug"]}')
    (folder / "names.json").write_text('["mug"]')
    picture().save(folder / "bare.png")
    (folder / ".hidden.json").write_text("{")
    plan = plan_import(folder)
    assert [sample.stem for sample in plan.samples] == ["in/a"]
    assert {finding.severity for finding in plan.findings} == {"warning"}
    told = " ".join(f"{finding.path.name} {finding.message}" for finding in plan.findings)
    for expected in (
        "classes.json is no file",
        "names.json is no file",
        "empty.json has no shape",
        "1 images have no",
    ):
        assert expected in told
    with pytest.raises(DatasetError, match="no folder"):
        plan_import(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"label": 3}, r"shapes\[0\].*'label' is 3"),
        ({"points": [[1, 2], [3, 4]]}, r"shapes\[0\].*'points'.*3 or more of a polygon"),
        ({"points": [[1, 2], [3], [5, 6]]}, "'points'"),
        ({"points": [[1, 2], [3, 4], [float("nan"), 6]]}, "'points'"),
        ({"points": [[1, 2], [3, 4], [1e9, 6]]}, "'points'"),
        ({"points": [[-9, -9], [-3, -9], [-3, -4]]}, r"shapes\[0\].*outside the image"),
        ({"shape_type": "line"}, r"'shape_type' is 'line'; expected a shape that covers an area"),
        ({"shape_type": "circle"}, "2 of a circle"),
        ({"group_id": "left"}, "'group_id'"),
        ({"description": ["x"]}, "'description'"),
        ({"flags": {"ok": "yes"}}, "'flags'"),
        ({"label": "the [SEG] thing"}, r"holds \[SEG\]"),
        ({"shape_type": "mask", "points": [[1, 1], [2, 2]], "mask": "no!"}, "'mask' is not base64"),
        (
            {"shape_type": "mask", "points": [[1, 1], [2, 2]], "mask": png(picture())},
            "'mask' is 80x60 px",
        ),
    ],
)
def test_a_wrong_shape_is_named(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    folder = tmp_path / "in"
    write(folder, "a", {**shape("mug", TRIANGLE), **change}, shape("plate", SQUARE))
    plan = plan_import(folder)
    (finding,) = (finding for finding in plan.findings if finding.severity == "error")
    assert finding.path == folder / "a.json"
    assert re.search(expected, finding.message), finding.message
    with pytest.raises(DatasetError, match="errors keep"):
        import_labelme(plan, tmp_path / "out", About("mine", "1", "CC0-1.0"), reserve_bytes=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"shapes": "none"}, "shapes"),
        ({"imageHeight": 61}, "'imageHeight' is 61; expected 60"),
        ({"imagePath": "b.jpg"}, "'imagePath' is 'b.jpg'"),
        ({"imagePath": None}, "'imagePath'"),
        ({"imagePath": "b" * 300}, "'imagePath'"),  # longer than a file's name can be
        ({"imageData": "no base64!"}, "'imageData' is not base64"),
        ({"imageData": base64.b64encode(b"no image").decode()}, "imageData"),
        ({"flags": []}, None),
        ({"version": None}, None),
        ({"imageHeight": None, "imageWidth": None}, None),
    ],
)
def test_a_wrong_file_is_named(
    tmp_path: Path, change: dict[str, Any], expected: str | None
) -> None:
    folder = tmp_path / "in"
    write(folder, "a", shape("mug", TRIANGLE), **change)
    write(folder, "other", shape("mug", SQUARE), shade=3)
    errors = [finding for finding in plan_import(folder).findings if finding.severity == "error"]
    if expected is None:
        assert errors == []
    else:
        (finding,) = errors
        assert expected in finding.message
        assert "a.json" in finding.message


def test_an_image_of_16_bits_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "in", "a", shape("mug", TRIANGLE), imagePath="a.png")
    Image.fromarray(np.full((HEIGHT, WIDTH), 4000, np.uint16)).save(path.with_name("a.png"))
    (finding,) = plan_import(tmp_path / "in").findings
    assert (finding.severity, finding.path) == ("error", path)
    assert "more than 8 bits" in finding.message


def test_all_wrong_shapes_of_all_files_are_listed(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    line = shape("mug", TRIANGLE, "line")
    write(folder, "a", line, shape("mug", TRIANGLE), line)
    write(folder, "b:c", shape("mug", TRIANGLE))
    (folder / "d.json").write_text("{")
    plan = plan_import(folder)
    assert plan.errors == 4
    assert [finding.path.name for finding in plan.findings if finding.severity == "error"] == [
        *("a.json", "a.json", "b:c.json", "d.json")
    ]


@pytest.mark.parametrize(
    "name",
    [
        b"caf\xe9".decode(errors="surrogateescape"),  # of an archive from Windows: no UTF-8
        "two\u2028lines",
        "blank behind\u3000",
    ],
)
def test_names_that_a_list_cannot_hold_are_told_before_anything_is_written(
    tmp_path: Path, name: str
) -> None:
    write(tmp_path / "in", "a", shape("mug", TRIANGLE)).rename(tmp_path / "in" / f"{name}.json")
    write(tmp_path / "in" / name, "a", shape("mug", TRIANGLE), shade=3)
    plan = plan_import(tmp_path / "in")
    told = [finding.message for finding in plan.findings if finding.severity == "error"]
    assert len(told) == 2
    assert all("is no name of a sample" in message for message in told)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, "a", shape("mug", TRIANGLE))
    os.mkfifo(tmp_path / "b.json")
    (told,) = (f for f in plan_import(tmp_path).findings if f.severity == "error")
    assert "is a pipe" in told.message


def test_a_failed_import_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write(folder, "a", shape("mug", TRIANGLE))
    write(folder, "b", shape("mug", SQUARE))
    plan = plan_import(folder)
    (folder / "b.jpg").write_bytes(b"broken")
    about = About("mine", "1", "CC0-1.0")
    with pytest.raises(DatasetError, match=r"b\.jpg"):
        import_labelme(plan, tmp_path / "out", about, reserve_bytes=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(DatasetError, match="not empty"):
        import_labelme(plan, tmp_path / "out", about, reserve_bytes=0)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
