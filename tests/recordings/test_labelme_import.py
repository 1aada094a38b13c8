"""A newcomer's folder of labelme files becomes a lab dataset; and a lab sample opens in labelme."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab_recordings import write_lab_dataset
from PIL import Image

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.annotation import Query
from lisa_ros.recordings.dataset_folder import About, open_dataset
from lisa_ros.recordings.labelme_import import import_labelme, plan_import
from lisa_ros.recordings.polygon_mask import LabelledPolygon, polygon_mask
from lisa_ros.recordings.sample import read_annotation, read_sample
from lisa_ros.recordings.validation import folder_findings
from lisa_ros.types import BoolArray

HEIGHT, WIDTH = 60, 80
TRIANGLE = [[10.0, 10.0], [40.5, 12.0], [20.0, 35.9]]
SQUARE = [[50.0, 5.0], [70.0, 5.0], [70.0, 20.0], [50.0, 20.0]]


def picture(shade: int = 100) -> Image.Image:
    pixels = np.full((HEIGHT, WIDTH, 3), shade, np.uint8)
    pixels[:, :40, 0] = 220
    return Image.fromarray(pixels)


def png(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def shape(label: str, points: list[list[float]], kind: str = "polygon", **more: Any) -> dict:
    drawn = {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}}
    return {**drawn, "description": "", **more}


def write(folder: Path, name: str, *shapes: dict, shade: int = 100, **more: Any) -> Path:
    """A file as labelme 5 writes it, and its image beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    picture(shade).save(folder / f"{name}.jpg", quality=95)
    content = {
        "version": "5.4.1",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": f"{name}.jpg",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
        **more,
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def imported(folder: Path, out: Path, **options: Any) -> dict[str, dict[str, BoolArray]]:
    """Import, check the result, and return what each sample is asked, with its mask."""
    plan = plan_import(folder, **options)
    assert [f for f in plan.findings if f.severity == "error"] == []
    import_labelme(plan, out, About("mine", "1", "CC0-1.0"), reserve_bytes=0)
    dataset = open_dataset(out)
    wrong = [f for f in folder_findings(dataset) if "same picture" not in f.message]
    assert wrong == []
    asked = {}
    for stem in dataset.stored_stems():
        annotation = read_annotation(dataset, stem)
        asked[stem] = {
            text: annotation.mask(query) for query in annotation.asked for text in query.texts
        }
    return asked


def drawn(*polygons: list[list[float]]) -> BoolArray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for polygon in polygons:
        mask |= polygon_mask([LabelledPolygon("", [(x, y) for x, y in polygon])], HEIGHT, WIDTH) > 0
    return mask


def only(asked: dict[str, dict[str, BoolArray]]) -> dict[str, BoolArray]:
    (sample,) = asked.values()
    return sample


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
