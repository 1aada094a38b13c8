from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab_recordings import SIZE, box, cup

from lisa_ros.errors import DatasetError, MaskError
from lisa_ros.recordings.annotation import Annotation, parse_annotation
from lisa_ros.recordings.documents import Document, read_json_document
from lisa_ros.recordings.masked_queries import MaskedQuery, annotate

LABELME = {
    "version": "5.4.1",
    "flags": {"checked": True},
    "shapes": [
        {
            "label": "target",
            "points": [[1.5, 1.5], [8.5, 1.5], [8.5, 6.5]],
            "group_id": 1,
            "description": "the handle",
            "shape_type": "polygon",
            "flags": {"occluded": False},
            "mask": None,
        },
        {"label": "target", "points": [[20, 20], [30, 20], [30, 30]], "group_id": 2},
        {"label": "Ignore", "points": [[40, 1], [50, 1], [50, 9]], "group_id": None},
        {"label": "ignore", "points": [[40, 31], [50, 31], [50, 39]], "group_id": 1},
    ],
    "imagePath": "000001.jpg",
    "imageData": None,
    "imageHeight": 48,
    "imageWidth": 64,
    "text": ["the cup"],
    "is_sentence": False,
    "queries": [
        {"text": ["the cup"], "is_sentence": False, "group_id": 1},
        {"text": ["What is round?", "Where is the plate?"], "is_sentence": True, "group_id": 2},
        {"text": ["everything"], "is_sentence": False, "group_id": None},
        {"text": ["the dog"], "is_sentence": False, "group_id": None, "no_target": True},
    ],
    "lineColor": [0, 255, 0, 128],
}


def parsed(**changes: Any) -> Annotation:
    return parse_annotation(Document("a.json", {**LABELME, **changes}))


def test_reading_and_writing_loses_nothing() -> None:
    annotation = parsed()
    written = json.loads(annotation.to_json())
    for key, value in LABELME.items():
        if key != "shapes":
            assert written[key] == value, key
    for shape, original in zip(written["shapes"], LABELME["shapes"], strict=True):  # type: ignore[call-overload]
        assert original.items() <= shape.items()
    assert parse_annotation(Document("b.json", written)) == annotation


def test_a_query_is_answered_by_its_group() -> None:
    annotation = parsed()
    first, second, everything, absent = (annotation.mask(query) for query in annotation.asked)
    assert first[3, 7] == 1
    assert first[22, 28] == 0
    assert second[3, 7] == 0
    assert second[22, 28] == 1
    assert (everything == 1).sum() == (first == 1).sum() + (second == 1).sum()
    assert not (absent == 1).any()


def test_a_region_to_ignore_is_everybodys_or_its_groups() -> None:
    annotation = parsed()
    for query, own in zip(annotation.asked, (True, False, True, True), strict=True):
        mask = annotation.mask(query)
        assert mask[3, 48] == 255
        assert (mask[33, 48] == 255) is np.bool_(own)


def test_without_queries_all_shapes_answer_the_text() -> None:
    annotation = parsed(queries=None)
    (query,) = annotation.asked
    assert query.texts == ("the cup",)
    assert annotation.mask(query)[3, 7] == annotation.mask(query)[22, 28] == 1


def test_cp1252_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    for encoding in ("cp1252", "utf-8", "utf-8-sig"):
        text = json.dumps({**LABELME, "text": ["the robot\u2019s café cup"]}, ensure_ascii=False)
        path = tmp_path / f"{encoding}.json"
        path.write_bytes(text.encode(encoding))
        assert parse_annotation(read_json_document(path)).query.texts == (
            "the robot\u2019s café cup",
        )


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("text", [], "a list of one or more strings"),
        ("text", "the cup", "a list of one or more strings"),
        ("text", [" "], "none of them blank"),
        ("is_sentence", 1, "true or false"),
        ("is_sentence", None, "true or false"),
        ("imageWidth", 64.0, "a whole number"),
        ("imageWidth", 10**9, "1 to 67108864 pixels"),
        ("imageHeight", 10**7, "1 to 67108864 pixels"),
        ("imageHeight", 0, "1 to 67108864 pixels"),
        ("imagePath", "", "a string that is not blank"),
        ("shapes", {}, "a list of mappings"),
        ("shapes", [3], "a list of mappings"),
        ("queries", [{"text": ["a"], "is_sentence": True, "group_id": "1"}], "a whole number"),
        ("no_target", "yes", "true or false"),
    ],
)
def test_a_wrong_value_is_named(key: str, value: object, expected: str) -> None:
    with pytest.raises(DatasetError, match=expected) as caught:
        parsed(**{key: value})
    assert "a.json" in str(caught.value)


@pytest.mark.parametrize("points", [None, [], [[1, 2, 3]], [["1", 2]], [[float("nan"), 2]], [5]])
def test_wrong_points_are_named(points: object) -> None:
    shape = {"label": "target", "points": points}
    with pytest.raises(DatasetError, match=r"a\.json: shapes\[1\]: 'points' is"):
        parsed(shapes=[LABELME["shapes"][0], shape])  # type: ignore[index]


def test_a_rectangle_is_not_taken_for_a_polygon() -> None:
    shape = {"label": "target", "points": [[1, 1], [5, 5]], "shape_type": "rectangle"}
    annotation = parsed(shapes=[shape], queries=None)
    with pytest.raises(DatasetError, match="'rectangle'; expected a polygon"):
        annotation.mask(annotation.query)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", "is not JSON"),
        (b"[1]", "expected a mapping"),
        (b"[" * 100_000, "is not JSON"),
        (b"\x81\x8d", "neither UTF-8 nor cp1252"),
    ],
)
def test_a_file_that_is_no_annotation_is_named(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=expected) as caught:
        read_json_document(path)
    assert "broken.json" in str(caught.value)


def test_masks_come_back_from_an_annotation() -> None:
    questions = [cup(), MaskedQuery(("the dog",), False, box(0, 0, 0, 0)), cup(20)]
    ignore = box(0, 0, 30, 30)
    annotation = annotate("a.jpg", SIZE, questions, ignore)
    restored = parse_annotation(Document("a.json", json.loads(annotation.to_json())))
    assert restored == annotation
    for question, query in zip(questions, restored.asked, strict=True):
        mask = restored.mask(query)
        np.testing.assert_array_equal(mask == 1, question.mask)
        np.testing.assert_array_equal(mask == 255, ignore & ~question.mask)
        assert query.no_target == (not question.mask.any())


def test_one_question_is_plain_reason_seg() -> None:
    written = json.loads(annotate("a.jpg", SIZE, [cup()]).to_json())
    assert "queries" not in written
    assert "no_target" not in written
    assert written["shapes"][0]["group_id"] is None


def test_masks_of_another_size_are_refused() -> None:
    with pytest.raises(MaskError, match=r"bool\[5, 5\], expected bool\[48, 64\]"):
        annotate("a.jpg", SIZE, [MaskedQuery(("x",), True, np.zeros((5, 5), bool))])
    with pytest.raises(DatasetError, match="No question"):
        annotate("a.jpg", SIZE, [])
