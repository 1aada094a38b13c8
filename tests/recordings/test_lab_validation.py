"""Every rule of the format is broken once, and found; nothing else is said then."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from lab_recordings import write_lab_dataset
from PIL import Image

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.dataset_folder import open_dataset
from lisa_ros.recordings.finding import Finding
from lisa_ros.recordings.validation import folder_findings, measure

Break = Callable[[Path], None]
JSON = "samples/bag01/000000.json"
META = "samples/bag01/000000.meta.yaml"
DEPTH = "samples/bag01/000000.depth.png"
IMAGE = "samples/bag01/000000.jpg"
CAMERA = "samples/bag01/camera_info.yaml"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "ds"
    write_lab_dataset(path)
    return path


@pytest.fixture
def dataset(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "ds"))


def found_in(path: Path) -> list[Finding]:
    return list(folder_findings(open_dataset(path)))


def in_json(name: str = JSON, **changes: Any) -> Break:
    def change(path: Path) -> None:
        values = json.loads((path / name).read_text())
        (path / name).write_text(json.dumps({**values, **changes}))

    return change


def in_shape(**changes: Any) -> Break:
    def change(path: Path) -> None:
        values = json.loads((path / JSON).read_text())
        values["shapes"][0] |= changes
        (path / JSON).write_text(json.dumps(values))

    return change


def in_yaml(name: str, **changes: Any) -> Break:
    def change(path: Path) -> None:
        values = yaml.safe_load((path / name).read_text())
        (path / name).write_text(yaml.safe_dump({**values, **changes}))

    return change


def lines(name: str, *stems: str) -> Break:
    return lambda path: (path / name).write_text("\n".join(stems)) and None


def remove(name: str) -> Break:
    return lambda path: (path / name).unlink()


def image(name: str, pixels: np.ndarray, **options: Any) -> Break:
    return lambda path: Image.fromarray(pixels).save(path / name, **options)


def copied(source: str, target: str) -> Break:
    return lambda path: shutil.copy(path / source, path / target) and None


def copied_with_a_comment(path: Path) -> None:
    data = (path / IMAGE).read_bytes()
    (path / "samples/bag02/000000.jpg").write_bytes(data[:2] + b"\xff\xfe\0\5abc" + data[2:])


def explained(**changes: Any) -> Break:
    def write(path: Path) -> None:
        entry = {"image": "bag01/000000.jpg", "query": "What holds hot tea?", "outputs": "It is."}
        (path / "explanatory").mkdir()
        (path / "explanatory" / "train.json").write_text(json.dumps([entry | changes]))

    return write


def turned(path: Path) -> None:
    with Image.open(path / IMAGE) as picture:
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.save(path / IMAGE, quality=95, subsampling=0, exif=exif)


def as_cp1252(path: Path) -> None:
    text = (path / JSON).read_text().replace("hot tea", "caf\u00e9")
    (path / JSON).write_bytes(text.encode("cp1252"))


COLOR = np.full((48, 64, 3), 77, np.uint8)
TRAIN, VAL = "splits/train.txt", "splits/val.txt"
BAG1 = ("bag01/000000", "bag01/000007")

RULES: dict[str, tuple[Break, str, str]] = {
    # the lists
    "no list": (remove(VAL), "warning", "is in no split"),
    "listed twice": (lines(TRAIN, *BAG1, BAG1[0]), "error", "2 times"),
    "hostile name": (lines(VAL, "../../etc/passwd"), "error", "line 1: '../../etc/passwd' is no"),
    "absolute name": (lines(VAL, "/etc/passwd"), "error", "line 1: '/etc/passwd' is no name"),
    "listed, not there": (lines(VAL, "bag02/000000", "bag02/9"), "error", "add or unlist"),
    "bag in two": (lines(VAL, "bag02/000000", BAG1[0]), "error", "split by recording"),
    "unknown list": (lines("splits/dev.txt", "bag02/000000"), "warning", "is not read"),
    # files
    "no image": (remove(IMAGE), "error", "there is no"),
    "unlabelled": (copied(IMAGE, "samples/bag01/9.jpg"), "warning", "has no annotation"),
    "capitals": (copied(IMAGE, "samples/bag01/9.JPG"), "warning", "colour images are .jpg"),
    "too deep": (
        lambda p: (p / "samples/bag01/day2").mkdir(), "warning", "make it a bag of its own",
    ),
    "no bag": (copied(IMAGE, "samples/9.jpg"), "warning", "samples are in folders"),
    "png": (copied(DEPTH, "samples/bag01/9.png"), "warning", "colour images are .jpg"),
    "left over": (copied(IMAGE, "samples/bag01/.9.jpg.partial"), "warning", "was interrupted"),
    "same picture": (copied(IMAGE, "samples/bag02/000000.jpg"), "error", "the same picture as"),
    "same pixels": (copied_with_a_comment, "error", "the same picture as"),
    # the annotation
    "not JSON": (lambda p: (p / JSON).write_text("{") and None, "error", "is not JSON"),
    "cp1252": (as_cp1252, "warning", "save it as UTF-8"),
    "no width": (in_json(imageWidth=None), "error", "'imageWidth' is None"),
    "other width": (in_json(imageWidth=65), "error", "is 64x48 px, its annotation for 65x48"),
    "other image": (in_json(imagePath="000001.jpg"), "error", "expected '000000.jpg'"),
    "image inside": (in_json(imageData="abcd"), "warning", "(imageData)"),
    "no version": (in_json(version=None), "warning", "save it in labelme once"),
    "no text": (in_json(text=[]), "error", "a list of one or more strings"),
    "half a character": (in_json(text=["\ud83d"]), "error", "is not JSON"),
    "huge": (in_json(imageWidth=30000, imageHeight=30000), "error", "1 to 67108864 pixels"),
    "blank text": (in_json(text=["a", ""]), "error", "none of them blank"),
    "token": (in_json(text=["a [SEG]"]), "error", "holds [SEG]"),
    "placeholder": (in_json(text=["<image> a"]), "error", "holds <image>"),
    "same text": (in_json(text=["a", "a"]), "warning", "2 times"),
    "is_sentence": (in_json(is_sentence="yes"), "error", "expected true or false"),
    "nothing drawn": (in_json(shapes=[]), "error", "has no target shape"),
    "both": (in_json(no_target=True), "error", "says no_target but has target shapes"),
    "no such group": (
        in_json(queries=[{"text": ["a"], "is_sentence": True, "group_id": 5}]),
        "error",
        "no target shape of group_id 5",
    ),
    "rectangle": (in_shape(shape_type="rectangle"), "error", "as a polygon"),
    "a line": (in_shape(points=[[1, 1], [60, 1]]), "error", "has 2 points"),
    "outside": (in_shape(points=[[99, 1], [99, 9], [98, 9]]), "error", "no point inside"),
    "leaving": (in_shape(points=[[9, 9], [64, 9], [9, 40]]), "warning", "leaves the image"),
    "other label": (in_shape(label="mug"), "warning", "which counts as a target"),
    "tiny": (in_shape(points=[[9, 9], [11, 9], [11, 11]]), "warning", "has only 6 pixels"),
    # the image
    "EXIF": (turned, "error", "EXIF orientation 6"),
    "not a JPEG": (image(IMAGE, COLOR, format="PNG"), "error", "is a PNG by its content"),
    "grey": (image(IMAGE, COLOR[..., 0]), "warning", "mode 'L'"),
    "truncated": (
        lambda p: (p / IMAGE).write_bytes((p / IMAGE).read_bytes()[:500]) and None,
        "error",
        "Cannot read the image",
    ),
    # depth, camera, meta
    "depth of other size": (
        image(DEPTH, np.ones((24, 32), np.uint16)), "error", "is 32x24 px, its image 64x48",
    ),
    "depth of 8 bits": (image(DEPTH, COLOR[..., 0]), "error", "with 16 bits"),
    "no depth at all": (
        image(DEPTH, np.zeros((48, 64), np.uint16)), "warning", "no measurement at all",
    ),
    "no depth there": (
        image(DEPTH, np.pad(np.ones((5, 64), np.uint16), ((0, 43), (0, 0)))),
        "warning",
        "has no measurement on the target",
    ),
    "no calibration": (remove(CAMERA), "error", "samples here have depth"),
    "other calibration": (in_yaml(CAMERA, image_width=640), "error", "expected 640x48"),
    "uncalibrated": (
        in_yaml(CAMERA, projection_matrix={"data": [0.0] * 12}), "error", "uncalibrated camera",
    ),
    "matrix": (in_yaml(CAMERA, camera_matrix={"data": [1.0]}), "error", "9 finite numbers"),
    "pose": (in_yaml(META, T_world_camera=[2.0] * 16), "error", "a rigid transform"),
    "pose of what": (in_yaml(META, world_frame=None), "warning", "without world_frame"),
    "stamp": (in_yaml(META, stamp_color_ns="now"), "error", "a whole number"),
    "apart": (in_yaml(META, stamp_depth_ns=1_700_000_000_040_000_001), "warning", "40.0 ms"),
    "not registered": (in_yaml(META, depth_frame_id="depth_frame"), "warning", "registered"),
    "unit": (in_yaml(META, depth_unit_m=0), "error", "above 0"),
    "behind": (
        in_yaml(META, target_point_camera=[0.0, 0.0, -1.0], target_point_source="ruler"),
        "error",
        "behind the camera",
    ),
    "unknown source": (
        in_yaml(META, target_point_camera=[0.0, 0.0, 1.0]), "warning", "say how it is known",
    ),
    # explanations
    "explains a token": (explained(outputs="a [SEG]"), "error", "holds [SEG]"),
    "explains no sample": (explained(image="bag09/1.jpg"), "error", "which is no sample"),
    "explains elsewhere": (explained(image="../1.jpg"), "error", "is no name of a sample"),
    "explains nothing": (explained(outputs=""), "error", "'outputs' is ''"),
    "explains no query": (explained(query="Why?"), "warning", "is not asked"),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_is_found(rule: str, dataset: Path) -> None:
    break_it, severity, message = RULES[rule]
    break_it(dataset)
    findings = found_in(dataset)
    told = [finding for finding in findings if message in finding.message]
    assert told, findings
    assert all(finding.severity == severity for finding in told), told
    assert all(dataset in finding.path.parents for finding in told), told
    # Of the samples that nobody touched, nothing is said.
    assert not [f for f in findings if f.path.name.startswith("000007")], findings


def test_an_explanation_of_a_query_is_right(dataset: Path) -> None:
    explained()(dataset)
    assert found_in(dataset) == []


# 16**8 words when written out.
LAUGHS = "a: &a [ha]\n" + "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 16)}]"
    for before, name in itertools.pairwise("abcdefgh")
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "is no lab dataset"),
        ("name: [", "is not YAML"),
        ("- name", "expected a mapping"),
        ("name: k\nversion: 1", "'licence' is nothing"),
        ("name: k\nlicence: x", "'version' is nothing"),
        ("name: k\nversion: 1\nlicence: x\ndepth_unit_m: 1e-3", "1.0e-3, not 1e-3"),
        ("name: k\nversion: 1\nlicence: x\nrectified: maybe", "true or false"),
        ("[" * 5000, "is not YAML"),
        ("name: !!int ''", "is not YAML"),
        ("a: &a {name: k}\n<<: *a\nversion: 1\nlicence: x", "is not YAML"),
        ("name: !!timestamp now", "is not YAML"),
        ("name: !!bool perhaps", "is not YAML"),
        ('name: "\\ud83d"\nversion: 1\nlicence: x', "of whole characters"),
        (f"{LAUGHS}\nname: *h\nversion: 1\nlicence: x", "'name' is \\[\\["),
    ],
)
def test_a_malformed_dataset_yaml_is_named(
    tmp_path: Path, content: str | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / "dataset.yaml").write_text(content)
    with pytest.raises(DatasetError, match=expected):
        open_dataset(tmp_path)


def test_measurements(dataset: Path) -> None:
    folder = open_dataset(dataset)
    numbers = measure(folder, folder.stored_stems())
    # Five queries: the cup of 15x20 px in each image, a plate of 14x25; the elephant is not there.
    assert numbers["smallest_target_px"] == 15 * 20
    assert numbers["ignored_percent"] == round(100 * 3 * 60 / (5 * 48 * 64))
    assert numbers["target_depth_percent"] == 100
    assert measure(folder, ()) == {}
