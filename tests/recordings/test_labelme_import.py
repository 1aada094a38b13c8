"""A newcomer's folder of labelme files becomes a lab dataset; and a lab sample opens in labelme."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab_recordings import write_lab_dataset
from labelme_files import (
    HEIGHT,
    SQUARE,
    TRIANGLE,
    WIDTH,
    drawn,
    imported,
    only,
    picture,
    png,
    shape,
    write,
)
from PIL import Image

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.annotation import Query
from lisa_ros.recordings.dataset_folder import open_dataset
from lisa_ros.recordings.labelme_import import plan_import
from lisa_ros.recordings.sample import read_annotation, read_sample


def test_labels_and_descriptions_are_questions(tmp_path: Path) -> None:
    write(
        tmp_path / "in",
        "frame 1",
        shape("coffee_mug", TRIANGLE, description="What holds my coffee?\nthe mug to the left"),
        shape("coffee_mug", SQUARE),
        shape("plate", SQUARE),
    )
    asked = only(imported(tmp_path / "in", tmp_path / "out"))
    assert set(asked) == {"coffee mug", "What holds my coffee?", "the mug to the left", "plate"}
    np.testing.assert_array_equal(asked["coffee mug"] == 1, drawn(TRIANGLE, SQUARE))
    np.testing.assert_array_equal(asked["What holds my coffee?"] == 1, drawn(TRIANGLE))
    np.testing.assert_array_equal(asked["the mug to the left"] == 1, drawn(TRIANGLE))
    np.testing.assert_array_equal(asked["plate"] == 1, drawn(SQUARE))
    annotation = read_annotation(open_dataset(tmp_path / "out"), "in/frame 1")
    assert [(query.is_sentence, query.group_id) for query in annotation.asked] == [
        (False, 1),
        (True, 2),
        (False, 2),
        (False, 3),
    ]


def test_a_single_question_needs_no_queries(tmp_path: Path) -> None:
    write(
        tmp_path / "in", "a", shape("mug", TRIANGLE, flags={"occluded": True}), flags={"ok": True}
    )
    imported(tmp_path / "in", tmp_path / "out")
    annotation = read_annotation(open_dataset(tmp_path / "out"), "in/a")
    assert annotation.asked == (Query(("mug",), False),)
    (kept,) = annotation.shapes
    assert kept.points == tuple(map(tuple, TRIANGLE))
    assert kept.other == {"flags": {"occluded": True}, "description": "mug"}
    assert annotation.other == {"version": "5.4.1", "flags": {"ok": True}, "imageData": None}


def test_checked_flags_ask_for_what_is_not_there(tmp_path: Path) -> None:
    flags = {
        "absent: red_mug": True,
        "Absent: What is for tea?": True,
        "absent: plate": False,
        "absent: ": True,
    }
    write(tmp_path / "in", "a", shape("mug", TRIANGLE), flags=flags)
    write(tmp_path / "in", "b", shade=50, flags={"absent: mug": True})
    asked = imported(tmp_path / "in", tmp_path / "out")
    assert {text: mask.any() for text, mask in asked["in/a"].items()} == {
        "mug": True,
        "red mug": False,
        "What is for tea?": False,
    }
    dataset = open_dataset(tmp_path / "out")
    first, *absent = read_annotation(dataset, "in/a").asked
    assert not first.no_target
    assert [(query.is_sentence, query.no_target) for query in absent] == [
        (False, True),
        (True, True),
    ]
    assert read_annotation(dataset, "in/b").asked == (Query(("mug",), False, None, True),)


def test_what_is_drawn_is_not_absent(tmp_path: Path) -> None:
    write(tmp_path / "in", "a", shape("red_mug", TRIANGLE), flags={"absent: Red mug": True})
    (finding,) = plan_import(tmp_path / "in").findings
    assert finding.severity == "error"
    assert "undo either" in finding.message


def test_parts_of_a_thing_share_its_group(tmp_path: Path) -> None:
    other = [[5.0, 40.0], [25.0, 40.0], [25.0, 55.0]]
    write(
        tmp_path / "in",
        "a",
        shape("chair", TRIANGLE, group_id=4, description="the chair behind the post"),
        shape("chair", SQUARE, group_id=4),
        shape("chair", other, group_id=5),
        shape("lamp", other, group_id=4),
    )
    asked = only(imported(tmp_path / "in", tmp_path / "out"))
    np.testing.assert_array_equal(asked["chair"] == 1, drawn(TRIANGLE, SQUARE, other))
    np.testing.assert_array_equal(asked["the chair behind the post"] == 1, drawn(TRIANGLE, SQUARE))


def test_rectangles_circles_and_masks(tmp_path: Path) -> None:
    bitmap = np.zeros((6, 9), np.uint8)
    bitmap[1:4, 2:8] = 1
    write(
        tmp_path / "in",
        "a",
        shape("box", [[70.0, 20.0], [50.0, 5.0]], "rectangle"),
        shape("ball", [[30.0, 30.0], [30.0, 42.0]], "circle"),
        shape(
            "spot",
            [[60.0, 40.0], [68.0, 45.0]],
            "mask",
            mask=png(Image.fromarray(bitmap)),
        ),
    )
    asked = only(imported(tmp_path / "in", tmp_path / "out"))
    np.testing.assert_array_equal(asked["box"] == 1, drawn(SQUARE))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    distance = np.hypot(rows - 30, columns - 30)
    assert (asked["ball"][distance <= 10.5] == 1).all()
    assert not asked["ball"][distance > 13.5].any()
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[41:44, 62:68] = True
    np.testing.assert_array_equal(asked["spot"] == 1, expected)


def test_what_leaves_the_image_is_cut(tmp_path: Path) -> None:
    outside = [[60.0, 40.0], [120.0, 40.0], [120.0, 90.0], [60.0, 90.0]]
    write(
        tmp_path / "in",
        "a",
        shape("rug", outside),
        shape("sun", [[0.0, 0.0], [0.0, 10.0]], "circle"),
        shape("wall", [[-5.0, 0.0], [float(WIDTH), float(HEIGHT)]], "rectangle"),
    )
    asked = only(imported(tmp_path / "in", tmp_path / "out"))
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[40:, 60:] = True
    np.testing.assert_array_equal(asked["rug"] == 1, expected)
    assert asked["wall"].all()
    assert 60 < asked["sun"].sum() < 120


def test_remarks_and_regions_to_ignore(tmp_path: Path) -> None:
    write(
        tmp_path / "in",
        "a",
        shape("mug", TRIANGLE),
        shape("__ignore__", SQUARE),
        shape("Flag", [[1.0, 1.0]], "point"),
    )
    (mask,) = only(imported(tmp_path / "in", tmp_path / "out")).values()
    np.testing.assert_array_equal(mask == 255, drawn(SQUARE))
    np.testing.assert_array_equal(mask == 1, drawn(TRIANGLE))


def test_embedded_images_and_paths_of_other_systems(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    mug = shape("mug", TRIANGLE)
    write(folder, "a", mug, imageData=png(picture(17)), imagePath="gone.jpg")
    write(folder / "images", "b", shade=33)
    (folder / "images" / "b.json").unlink()
    write(folder / "labels", "b", mug, imagePath="..\\images\\b.jpg", shade=99)
    imported(folder, tmp_path / "out")
    dataset = open_dataset(tmp_path / "out")
    for stem, shade in (("in/a", 17), ("labels/b", 33)):
        image = read_sample(dataset, stem).image
        assert np.abs(image[5, 70].astype(int) - shade).max() <= 3


def test_a_turned_photograph_is_stored_upright(tmp_path: Path) -> None:
    path = write(tmp_path / "in", "a", shape("mug", TRIANGLE))
    lying = picture().transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after turning it clockwise by 90 degrees
    lying.save(path.with_suffix(".jpg"), quality=95, exif=exif)
    plan = plan_import(tmp_path / "in")
    assert [finding.severity for finding in plan.findings] == ["warning"]
    imported(tmp_path / "in", tmp_path / "out")
    image = read_sample(open_dataset(tmp_path / "out"), "in/a").image
    assert image.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_allclose(image[30, 10], [220, 100, 100], atol=4)


def test_folders_become_bags_and_one_of_them_validates(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for number, place in enumerate((".", "day1/table", "day2")):
        write(folder / place, "a", shape("mug", TRIANGLE), shade=50 * number)
    imported(folder, tmp_path / "out", val=["day2/"])
    dataset = open_dataset(tmp_path / "out")
    assert dataset.split_stems("train") == ("in/a", "day1-table/a")
    assert dataset.split_stems("val") == ("day2/a",)
    with pytest.raises(DatasetError, match=r"day3.*\., day1/table, day2"):
        plan_import(folder, ["day3"])


def test_other_encodings_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "in", "a", shape("Becher", TRIANGLE, description="die grüne Tasse"))
    text = json.dumps(json.loads(path.read_text(encoding="utf-8")), ensure_ascii=False)
    path.write_text(text, encoding="cp1252")
    (finding,) = plan_import(tmp_path / "in").findings
    assert (finding.severity, finding.path) == ("warning", path)
    assert "read as cp1252" in finding.message


def assert_labelme_opens(path: Path) -> dict[str, Any]:
    """What labelme requires of a file that it opens, key by key."""
    content = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(content["version"], str)
    assert content["flags"] == {} or all(type(v) is bool for v in content["flags"].values())
    image_path = content["imagePath"]
    assert not Path(image_path).is_absolute()
    with Image.open(path.parent / image_path) as image:
        assert (content["imageWidth"], content["imageHeight"]) == image.size
    assert content["imageData"] is None
    for each in content["shapes"]:
        assert isinstance(each["label"], str)
        assert each["shape_type"] == "polygon"
        assert len(each["points"]) >= 3
        for point in each["points"]:
            assert len(point) == 2
            assert all(type(number) in (int, float) for number in point)
        assert each["group_id"] is None or type(each["group_id"]) is int
        assert isinstance(each["flags"], dict)
        assert isinstance(each.get("description", ""), str)
    return content


def test_a_lab_sample_opens_in_labelme_and_comes_back(tmp_path: Path) -> None:
    lab = write_lab_dataset(tmp_path / "lab")
    write(tmp_path / "in", "a", shape("mug", TRIANGLE), shape("plate", SQUARE))
    imported(tmp_path / "in", tmp_path / "out")
    written = [lab.sample_paths(stem).annotation for stem in lab.stored_stems()]
    written.append(tmp_path / "out" / "samples" / "in" / "a.json")
    for path in written:
        content = assert_labelme_opens(path)
        assert {"text", "is_sentence"} <= content.keys()
    # Its polygons are labelled "target": that is what labelme would show, and what comes back.
    asked = imported(tmp_path / "lab" / "samples", tmp_path / "again")
    annotation = read_annotation(lab, "bag01/000000")
    np.testing.assert_array_equal(
        asked["bag01/000000"]["target"], annotation.mask(annotation.query)
    )
