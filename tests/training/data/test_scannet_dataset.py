"""Questions about ScanNet's frames, from both trees, and what is reported as wrong."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sens_writer import LOST, raw_record, write_sens

from lisa_ros.errors import ConfigurationError, DatasetError
from lisa_ros.model.prompts import ANSWERS, SHORT_QUESTIONS
from training.data.sample import ImageDataset, Sample
from training.data.scannet.annotation import Annotation, askable
from training.data.scannet.dataset import ScanNetDataset
from training.data.scannet.opening import open_frames_25k, open_scans
from training.data.scannet.selection import Selection

FIXTURES = Path(__file__).parent / "fixtures" / "scannet"
ALL = Selection(every=1, questions=10)
TABLE = """id\traw_category\tnyu40id
1\twall\t1
26\tbox\t29
26\tboxes\t29
10\toffice chair\t5
130\tcup\t40
1163\tobject\t40
"""


def asked(sample: Sample) -> dict[str, np.ndarray]:
    """The name in every question, and its mask."""
    names = []
    for conversation in sample.conversations:
        (turn,) = conversation
        assert turn.answer in ANSWERS
        for template in SHORT_QUESTIONS:
            before, after = template.split("{class_name}")
            if turn.question.startswith(before) and turn.question.endswith(after):
                names.append(turn.question[len(before) : -len(after)])
    assert len(names) == len(sample.conversations) == len(sample.masks)
    return dict(zip(names, sample.masks, strict=True))


def add_scan(root: Path, scan_id: str, objects: list[str], frames: list[np.ndarray | None]) -> Path:
    """A scan of 20x10 px; frames: instance images u8[10,20], None where tracking was lost."""
    folder = root / "scans" / scan_id
    folder.mkdir(parents=True)
    groups = [{"objectId": n, "segments": [n], "label": label} for n, label in enumerate(objects)]
    (folder / f"{scan_id}.aggregation.json").write_text(json.dumps({"segGroups": groups}))
    (folder / f"{scan_id}.txt").write_text(f"numColorFrames = {len(frames)}\n")
    records = []
    with zipfile.ZipFile(folder / f"{scan_id}_2d-instance-filt.zip", "w") as file:
        for number, instances in enumerate(frames):
            pixels = np.zeros((10, 20), np.uint8) if instances is None else instances
            data = io.BytesIO()
            Image.fromarray(pixels).save(data, "PNG")
            file.writestr(f"instance-filt/{number}.png", data.getvalue())
            color = np.full((10, 20, 3), number, np.uint8)
            pose = LOST if instances is None else np.eye(4)
            records.append(raw_record(color, np.ones((3, 4)), pose))
    write_sens(folder / f"{scan_id}.sens", records, color_size=(20, 10))
    return folder


def tree(root: Path, *scan_ids: str) -> Path:
    (root / "scannetv2-labels.combined.tsv").write_text(TABLE)
    (root / "scannetv2_train.txt").write_text("\n".join(scan_ids))
    return root


def stripes(*values: int) -> np.ndarray:
    """Instances side by side, u8[10,20]."""
    return np.repeat(np.array(values, np.uint8), 20 // len(values))[None].repeat(10, axis=0)


def test_recorded_frames_are_asked_with_the_annotators_words() -> None:
    dataset: ImageDataset = open_scans(FIXTURES, "train", ALL)
    assert dataset.name == "scannet|train|instance"
    assert dataset.counts() == {"images": 3, "scans": 1, "spaces": 1, "objects": 5}
    sample = dataset.sample(2, np.random.default_rng(0))
    # Not asked: wall and floor, and the object whose name the table lacks.
    assert {name: int(mask.sum()) for name, mask in asked(sample).items()} == {
        "table": 705,
        "boxes": 80,
    }
    assert sample.masks.dtype == np.uint8
    assert sample.image.parts[-2:] == ("scene9000_00.sens", "2")
    assert sample.pixels is not None
    assert sample.pixels.shape == (*sample.masks.shape[1:], 3)


def test_stored_frames_are_asked_with_nyu40_names() -> None:
    dataset: ImageDataset = open_frames_25k(FIXTURES, "train", ALL)
    assert dataset.name == "scannet_25k|train|instance"
    assert dataset.counts() == {"images": 2, "scans": 1, "spaces": 1}
    sample = dataset.sample(1, np.random.default_rng(0))
    assert {name: int(mask.sum()) for name, mask in asked(sample).items()} == {
        "table": 705,
        "box": 80,
    }
    assert sample.pixels is None
    with Image.open(sample.image) as image:
        assert image.size == sample.masks.shape[:0:-1]


def test_a_sample_is_a_function_of_index_and_generator() -> None:
    dataset = open_scans(FIXTURES, "train", Selection(every=1, questions=1))
    workers = pickle.loads(pickle.dumps(dataset))  # as DataLoader workers get it
    drawn = set()
    for seed in range(20):
        first = dataset.sample(0, np.random.default_rng(seed))
        again = workers.sample(0, np.random.default_rng(seed))
        assert first.conversations == again.conversations
        np.testing.assert_array_equal(first.masks, again.masks)
        drawn.add(first.conversations)
    assert len({tuple(asked(dataset.sample(0, np.random.default_rng(s)))) for s in range(20)}) == 2
    assert len(drawn) > 5


def test_instance_questions_have_one_answer(tmp_path: Path) -> None:
    root = tree(tmp_path, "scene0000_00")
    objects = ["office chair", "office chair", "cup", "wall", "object"]
    add_scan(root, "scene0000_00", objects, [stripes(1, 2, 3, 4), stripes(1, 3, 5, 0)])
    instance = open_scans(root, "train", ALL)
    semantic = open_scans(root, "train", Selection("semantic", every=1, questions=10))
    rng = np.random.default_rng(0)
    assert set(asked(instance.sample(0, rng))) == {"cup"}
    assert set(asked(instance.sample(1, rng))) == {"office chair", "cup"}
    both = asked(semantic.sample(0, rng))
    assert set(both) == {"office chair", "cup"}
    np.testing.assert_array_equal(both["office chair"], np.isin(stripes(1, 2, 3, 4), (1, 2)))


def test_two_names_of_one_number_are_not_asked_together(tmp_path: Path) -> None:
    root = tree(tmp_path, "scene0000_00")
    frames: list[np.ndarray | None] = [stripes(1, 2, 3, 0), stripes(1, 3, 0, 0)]
    add_scan(root, "scene0000_00", ["box", "boxes", "cup"], frames)
    for kind in ("instance", "semantic"):
        dataset = open_scans(root, "train", Selection(kind, every=1, questions=10))  # type: ignore[arg-type]
        assert set(asked(dataset.sample(0, np.random.default_rng(0)))) == {"cup"}
        assert set(asked(dataset.sample(1, np.random.default_rng(0)))) == {"box", "cup"}


def test_what_is_too_small_is_not_asked() -> None:
    instances = np.zeros((100, 100), np.int32)
    instances[:2, :10] = 1  # 20 px
    instances[50:, :] = 2
    instances[99, 99] = 3  # a corner of another of the second kind
    categories = np.array([0, 7, 8, 8], np.int32)[instances]
    annotation = Annotation(categories, instances, {7: "cup", 8: "Lamp"})
    assert [a.name for a in askable(annotation, "instance", 0.002)] == ["cup"]
    assert [a.name for a in askable(annotation, "instance", 0.0021)] == []
    assert [a.name for a in askable(annotation, "semantic", 0.0021)] == ["Lamp"]
    nothing = Annotation(np.zeros_like(categories), np.zeros_like(instances), {})
    assert askable(nothing, "semantic", 0) == []


def test_objects_painted_under_their_second_number(tmp_path: Path) -> None:
    root = tree(tmp_path, "scene0000_00")
    folder = add_scan(root, "scene0000_00", ["cup", "cup"], [stripes(2, 2, 0, 0)])
    path = folder / "scene0000_00.aggregation.json"
    path.write_text(path.read_text().replace("[1]", "[0]"))  # the same segments twice
    sample = open_scans(root, "train", ALL).sample(0, np.random.default_rng(0))
    assert asked(sample)["cup"].sum() == 100


def test_frames_without_a_pose(tmp_path: Path) -> None:
    root = tree(tmp_path, "scene0000_00", "scene0001_00")
    add_scan(root, "scene0000_00", ["cup"], [None, stripes(1, 0), None, None])
    add_scan(root, "scene0001_00", ["cup"], [stripes(0, 1), None])
    everything = open_scans(root, "train", ALL)
    posed = open_scans(root, "train", Selection(every=1, posed_only=True))
    assert (len(everything), len(posed)) == (6, 2)

    def frame_of(dataset: ScanNetDataset, index: int) -> str:
        image = dataset.sample(index, np.random.default_rng(0)).image
        return "/".join(image.parts[-3:])

    first, second = "scene0000_00/scene0000_00.sens/1", "scene0001_00/scene0001_00.sens/0"
    # Nothing is annotated in the lost ones, so the next is asked about, around the end as well.
    assert [frame_of(everything, i) for i in range(6)] == [
        first, first, second, second, second, first,
    ]  # fmt: skip
    assert [frame_of(posed, i) for i in range(2)] == [first, second]
    assert len(open_scans(root, "train", Selection(every=3))) == 3  # 0 and 3; 0


def test_nothing_to_ask_for_is_an_error(tmp_path: Path) -> None:
    root = tree(tmp_path, "scene0000_00")
    add_scan(root, "scene0000_00", ["wall"], [None, stripes(1, 0)])
    with pytest.raises(DatasetError, match="nothing to ask for in image 1"):
        open_scans(root, "train", ALL).sample(1, np.random.default_rng(0))
    with pytest.raises(DatasetError, match="not a single frame"):
        open_scans(tree(tmp_path), "train", ALL)
    for wrong in ({"every": 0}, {"questions": 0}, {"min_share": 2.0}, {"kind": "panoptic"}):
        with pytest.raises(ConfigurationError):
            Selection(**wrong)  # type: ignore[arg-type]


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    root = tree(tmp_path, "scene0000_00", "scene0001_00")
    add_scan(root, "scene0000_00", ["cup"], [stripes(1, 2)])
    folder = add_scan(root, "scene0001_00", ["cup"], [stripes(1, 0)])
    (folder / "scene0001_00_2d-instance-filt.zip").unlink()
    dataset = open_scans(root, "train", ALL)
    with pytest.raises(DatasetError, match=r"scene0000_00_2d-instance-filt.zip.*\[2\]"):
        dataset.sample(0, np.random.default_rng(0))
    with pytest.raises(DatasetError, match=r"scene0001_00_2d-instance-filt\.zip: missing"):
        dataset.sample(1, np.random.default_rng(0))


def test_spaces_of_reason_seg_and_missing_scans(tmp_path: Path) -> None:
    root = tree(tmp_path, "scene0000_00", "scene0000_01", "scene0001_00", "scene0002_00")
    for scan in ("scene0000_00", "scene0000_01", "scene0001_00"):
        add_scan(root, scan, ["cup"], [stripes(1, 0)])
    (root / "scannetv2_val.txt").write_text("scene0001_01\n")
    reason_seg = tmp_path / "ReasonSeg"
    (reason_seg / "val").mkdir(parents=True)
    (reason_seg / "val" / "scene0000_01_30.jpg").touch()
    dataset = open_scans(root, "train", Selection(every=1, reason_seg=reason_seg))
    assert [source.scan_id for source in dataset.sources] == ["scene0001_00"]
    problems = [(p.severity, p.path.name) for p in dataset.problems()]
    assert problems[:3] == [
        ("error", "scannetv2_val.txt"),
        ("warning", "test"),  # of ReasonSeg: a download of its own
        ("warning", "scene0002_00"),
    ]
    kept = open_scans(root, "train", ALL)
    assert len(kept) == 3
    assert any("reason_seg" in p.message for p in kept.problems())


def test_problems_of_the_fabricated_scan() -> None:
    dataset = open_scans(FIXTURES, "train", Selection(every=1))
    problems = [p for p in dataset.problems() if "reason_seg" not in p.message]
    assert [p.severity for p in problems] == ["warning"] * 2
    assert "has 3 frames, the .txt says 4" in problems[0].message
    assert "quux" in problems[1].message
    stored = open_frames_25k(FIXTURES, "train", Selection())
    assert all("reason_seg" in p.message for p in stored.problems())


def test_what_training_does_without_is_no_error(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES, tmp_path / "scannet")
    folder = tmp_path / "scannet" / "scans" / "scene9000_00"
    for name in ("2d-label-filt.zip", "vh_clean_2.ply", "vh_clean_2.labels.ply"):
        (folder / f"scene9000_00_{name}").unlink()
    dataset = open_scans(tmp_path / "scannet", "train", Selection(every=1))
    found = list(dataset.problems())
    assert {problem.severity for problem in found} == {"warning"}
    missing = [problem.path.name for problem in found if "is not there" in problem.message]
    assert missing == ["scene9000_00_vh_clean_2.ply", "scene9000_00_2d-label-filt.zip"]
    assert len(dataset.sample(0, np.random.default_rng(0)).masks)


def broken_copy(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURES, tmp_path / "scannet")
    return tmp_path / "scannet"


def test_problems_of_a_damaged_scan(tmp_path: Path) -> None:
    root = broken_copy(tmp_path)
    folder = root / "scans" / "scene9000_00"
    ply = folder / "scene9000_00_vh_clean_2.labels.ply"
    data = ply.read_bytes()
    start = data.index(b"end_header\n") + len(b"end_header\n")
    ply.write_bytes(data[: start + 16] + b"\x32\x00" + data[start + 18 :])  # the label of vertex 0
    zip_path = folder / "scene9000_00_2d-label-filt.zip"
    with zipfile.ZipFile(zip_path) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    entries["label-filt/0.png"] = entries.pop("label-filt/2.png")
    with zipfile.ZipFile(zip_path, "w") as file:
        for name, content in entries.items():
            file.writestr(name, content)
    sens = folder / "scene9000_00.sens"
    sens.write_bytes(sens.read_bytes()[:-1])  # within the inertial section, behind all frames
    dataset = open_scans(root, "train", Selection(every=1))
    found = {p.severity + ": " + p.message for p in dataset.problems()}
    for expected in (
        "warning: 1 of 487 vertices have another class in labels.ply",
        "error: frame 0: the label zip has another category",
    ):
        assert any(message.startswith(expected) for message in found), expected
    assert any("warning" in message and "IMU records" in message for message in found)
    assert any("label-filt/2.png is missing" in message for message in found)
    sens.write_bytes(sens.read_bytes()[:5000])
    (error,) = [p for p in open_scans(root, "train", ALL).problems() if p.severity == "error"]
    assert "frame 1" in error.message


def test_problems_of_damaged_stored_frames(tmp_path: Path) -> None:
    root = broken_copy(tmp_path)
    folder = root / "scannet_frames_25k" / "scene9000_00"
    with Image.open(folder / "instance" / "000000.png") as image:
        values = np.asarray(image)
    # What the published converter makes under numpy 2: uint8 * 1000, without the carry.
    Image.fromarray((values % 256).astype(np.uint16)).save(folder / "instance" / "000000.png")
    (folder / "pose" / "000200.txt").write_text("1 0 0\n")
    dataset = open_frames_25k(root, "train", Selection(kind="semantic"))
    found = [(p.severity, p.path.name, p.message) for p in dataset.problems()][1:]
    assert [f[:2] for f in found] == [("warning", "000000.png"), ("error", "000200.jpg")]
    assert "numpy 2" in found[0][2]
    assert "4x4 numbers" in found[1][2]
    assert "table" in asked(dataset.sample(0, np.random.default_rng(1)))  # labels still serve
    label = Image.fromarray(np.full((48, 64), 50, np.uint8))
    label.save(folder / "label" / "000000.png")
    with pytest.raises(DatasetError, match="label 50"):
        dataset.sample(0, np.random.default_rng(0))


def test_background_of_stored_frames_is_no_wall(tmp_path: Path) -> None:
    root = broken_copy(tmp_path)
    dataset = open_frames_25k(root, "train", ALL)
    source, number = dataset.frame(0)
    annotation = source.annotation(number)
    assert np.count_nonzero(annotation.instances == 0) == 96  # stored as 1
    assert set(np.unique(annotation.instances)) == {0, 1001, 2001, 7001, 29001}
    assert np.count_nonzero(annotation.categories == 1) == 1340
    lost = root / "scannet_frames_25k" / "scene9000_00" / "pose" / "000000.txt"
    lost.write_text("-inf -inf -inf -inf\n" * 4)
    assert source.pose(0) is None
    assert len(open_frames_25k(root, "train", Selection(posed_only=True))) == 1
