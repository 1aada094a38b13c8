"""`python -m training.data validate` and `preview`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lab_recordings import write_lab_dataset
from PIL import Image

from lisa_ros.errors import ConfigurationError, DatasetError
from training.data.__main__ import main
from training.data.registry import KINDS, kind_of, open_dataset
from training.data.sample import Sample, Turn


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_lab_dataset(tmp_path / "lab")
    return tmp_path / "lab"


def test_a_good_dataset_validates(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "kitchen|all: 3 images" in out
    assert "queries without target: 1" in out
    assert "smallest_target_px: 300" in out
    assert out.rstrip().endswith("0 errors, 0 warnings")


def test_warnings_do_not_fail(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "splits" / "val.txt").unlink()
    assert main(["validate", str(folder), "--kind", "lab", "--split", "train"]) == 0
    assert "0 errors, 1 warnings" in capsys.readouterr().out


def test_errors_fail_and_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "samples" / "bag02" / "000000.json"
    path.write_text("{")
    assert main(["validate", str(folder)]) == 1
    out = capsys.readouterr().out
    assert f"error: {path} is not JSON" in out
    assert "Not counted" in out


@pytest.mark.parametrize(
    "arguments", [[], ["--kind", "ade20k"], ["--kind", "rooms"], ["--kind", "kitchens"]]
)
def test_another_folder_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(["validate", str(tmp_path), *arguments]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_names_that_are_no_text_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "samples" / "bag01" / "caf\udce9.jpg").touch()  # in Latin-1, as a zip may bring it
    assert main(["validate", str(folder)]) == 0
    assert r"caf\udce9.jpg: has no annotation" in capsys.readouterr().out


def test_a_seed_below_zero_is_no_seed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["preview", str(folder), "--out", str(folder / "a.png"), "--seed", "-1"])
    assert "-1 is below 0" in capsys.readouterr().err


def test_a_folder_of_labelme_files_is_told_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_text('{"shapes": []}')
    assert main(["validate", str(tmp_path)]) == 1
    assert "import-labelme" in capsys.readouterr().err


def test_preview_draws_masks_and_words(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    assert main(["preview", str(folder), "--out", str(out), "--samples", "2"]) == 0
    with Image.open(out) as sheet:
        pixels = np.array(sheet)
    assert sheet.format == "PNG"
    assert sheet.width == 2 * 372
    red = (pixels == (255, 40, 90)).all(axis=2)
    assert red[:282].sum() > 50  # the outline of the first mask
    assert red[282:].sum() > 20  # its words
    again = tmp_path / "again.png"
    main(["preview", str(folder), "--out", str(again), "--samples", "2"])
    assert again.read_bytes() == out.read_bytes()


def test_preview_says_why_there_is_no_picture(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "samples" / "bag02" / "000000.jpg").write_bytes(b"\xff\xd8 no image")
    out = tmp_path / "sheet.png"
    assert main(["preview", str(folder), "--out", str(out), "--split", "val"]) == 1
    assert "000000.jpg" in capsys.readouterr().err
    assert not out.exists()


def test_a_frame_of_a_recording_is_drawn_from_its_pixels() -> None:
    from training.data.preview import contact_sheet

    masks = np.zeros((1, 90, 120), np.uint8)
    masks[0, 20:60, 30:80] = 1
    pixels = np.full((90, 120, 3), 100, np.uint8)
    sample = Sample("s", Path("scan#7"), ((Turn("Where?", "[SEG]."),),), masks, pixels)
    sheet = np.array(contact_sheet([sample]))
    assert (sheet[:282] == (255, 40, 90)).all(axis=2).any()
    contact_sheet([replace(sample, image=Path("caf\udce9.jpg"))])
    with pytest.raises(DatasetError, match="no sample to draw"):
        contact_sheet([])


def test_every_kind_is_opened_from_the_tree_of_datasets(tmp_path: Path) -> None:
    """In an empty tree each says what it misses, so its imports and constructors are right."""
    for kind in KINDS:
        with pytest.raises(DatasetError) as caught:
            open_dataset(kind, tmp_path)
        assert str(tmp_path) in str(caught.value), kind


def test_kinds_that_do_not_exist_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="choose one of lab, rooms, reason_seg"):
        open_dataset("kitchens", tmp_path)
    with pytest.raises(ConfigurationError, match="Only the train split"):
        open_dataset("ade20k", tmp_path, "val")
    with pytest.raises(ConfigurationError, match="names its split already"):
        open_dataset("ReasonSeg|train", tmp_path, "val")
    with pytest.raises(ConfigurationError, match="Only the train split"):
        open_dataset("ade20k|val", tmp_path)
    with pytest.raises(DatasetError, match=r"scannetv2-labels.combined.tsv"):
        open_dataset("scannet|val", tmp_path)
    with pytest.raises(DatasetError, match="--kind"):
        kind_of(tmp_path)
    with pytest.raises(DatasetError, match=r"There is no folder .*nowhere"):
        kind_of(tmp_path / "nowhere")


def test_labelme_files_are_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "mine", tmp_path / "lab"
    source.mkdir()
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(source / "a.png")
    corners = [[5, 5], [40, 5], [40, 30]]
    mug = {"label": "mug", "points": corners, "shape_type": "polygon", "group_id": None}
    content = {"version": "5.4.1", "flags": {}, "shapes": [mug], "imagePath": "a.png"}
    (source / "a.json").write_text(json.dumps({**content, "imageData": None}))
    assert main(["import-labelme", str(source), str(out), "--licence", "CC0-1.0"]) == 0
    assert "1 samples" in capsys.readouterr().out
    assert main(["validate", str(out)]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().out
    assert main(["preview", str(out), "--out", str(tmp_path / "sheet.png")]) == 0
    sample = open_dataset("lab", out, "train").sample(0, np.random.default_rng(0))
    assert "mug" in sample.conversations[0][0].question
    assert sample.masks.shape == (1, 48, 64)
    assert main(["import-labelme", str(source), str(out)]) == 1
    assert "not empty" in capsys.readouterr().err
    mug["shape_type"] = "line"
    (source / "a.json").write_text(json.dumps(content))
    assert main(["import-labelme", str(source), str(tmp_path / "other")]) == 1
    assert "'shape_type' is 'line'" in capsys.readouterr().out
    assert not (tmp_path / "other").exists()
