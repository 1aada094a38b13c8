"""`lisa info` and the weights' part of `lisa doctor`: facts from the files alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lisa_ros.cli import info
from lisa_ros.cli.checkpoint_facts import check, read_checkpoint
from lisa_ros.cli.licences import licence_rows, rows_of_model
from lisa_ros.diagnosis import Severity
from lisa_ros.model.locations import ALIASES

TINY = ALIASES["lisa-tiny"]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "mine"))


def test_the_shipped_checkpoint_is_whole() -> None:
    facts = read_checkpoint("lisa-tiny")
    assert facts.folder == TINY
    assert facts.problems == ()
    assert facts.size_bytes == (TINY / "model.safetensors").stat().st_size
    assert [finding.severity for finding in check("lisa-tiny")] == [Severity.OK]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda p: (p / "model.safetensors").unlink(), "there are no weights"),
        (lambda p: (p / "tokenizer.model").unlink(), "tokenizer.model is missing"),
        (lambda p: (p / "config.json").unlink(), "config.json is missing"),
        (lambda p: (p / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda p: (p / "lisa.json").write_text("[]"), "lisa.json holds no JSON object"),
        (lambda p: (p / "model.safetensors").write_bytes(b"\xff" * 9), "its header says None"),
        (lambda p: (p / "model.safetensors").write_bytes(b""), "its header says None"),
        (
            lambda p: (p / "model.safetensors").write_text("version https://git-lfs.github.com"),
            "pointer of git LFS",
        ),
        (
            lambda p: (p / "model.safetensors.index.json").write_text(
                json.dumps({"weight_map": {"a": "model.safetensors", "b": "gone.safetensors"}})
            ),
            "gone.safetensors cannot be read",
        ),
        (
            lambda p: (p / "model.safetensors.index.json").write_text("{}"),
            "model.safetensors.index.json names no file",
        ),
    ],
)
def test_what_cannot_be_loaded_is_said(
    checkpoint: Path, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(checkpoint)
    assert any(words in problem for problem in read_checkpoint(str(checkpoint)).problems)
    assert next(iter(check(str(checkpoint)))).severity is Severity.BROKEN
    assert info.main([str(checkpoint)]) == 1


def test_a_download_that_was_cut_short_is_seen(checkpoint: Path) -> None:
    weights = checkpoint / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1])
    (problem,) = read_checkpoint(str(checkpoint)).problems
    assert problem == (
        f"model.safetensors has {len(content) - 1} bytes; its header says {len(content)}"
    )


def test_what_the_node_will_fetch_is_said(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lisa_ros.model.locations._downloaded", lambda hub_id: None)
    assert "has not been downloaded" in next(iter(check("xinlai/LISA-7B-v1"))).finding
    assert read_checkpoint("no such folder").problem.startswith("there is no checkpoint")
    config = json.loads((checkpoint / "config.json").read_text())
    config |= {"vision_tower": "openai/clip", "mm_vision_tower": "openai/clip"}
    (checkpoint / "config.json").write_text(json.dumps(config))
    settings = json.loads((checkpoint / "lisa.json").read_text())
    (checkpoint / "lisa.json").write_text(json.dumps({**settings, "found_threshold": None}))
    words = " ".join(finding.finding for finding in check(str(checkpoint)))
    assert "vision tower openai/clip is not on this machine" in words
    assert "no found_threshold" in words


def test_licences_are_found_by_name() -> None:
    rows = licence_rows()
    assert {row.heading for row in rows} >= {
        "What this repository ships",
        "Models you can load",
        "Data sets that training can read",
    }

    def terms(model: str) -> str:
        return " ".join(row.terms for row in rows_of_model(model, rows))

    assert "Apache-2.0" in terms("lisa-tiny")
    assert "research only" in terms("xinlai/LISA-7B-v1")
    assert "research only" in terms("xinlai/LISA-7B-v1-explanatory")
    assert "Llama 2" in terms("xinlai/LISA-13B-llama2-v1")
    assert terms("runs/lab") == terms("COCO") == terms("") == ""
    names = " ".join(row.name for row in rows)
    for data_set in ("ScanNetv2", "ReasonSeg", "ADE20K", "gRefCOCO", "PACO", "Mapillary"):
        assert data_set in names


def test_info_tells_what_the_files_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert info.main(["lisa-tiny"]) == 0
    printed = capsys.readouterr().out
    for line in ("demo_model: true", "view: letterbox", "licence: lisa-tiny: Apache-2.0"):
        assert line in printed
    assert info.main([]) == 0
    printed = capsys.readouterr().out
    assert "Models you can load\n" in printed
    assert "signed ScanNet Terms of Use" in printed


def test_terms_that_nobody_wrote_down_are_not_guessed(checkpoint: Path) -> None:
    settings = json.loads((checkpoint / "lisa.json").read_text())
    assert "Apache-2.0, as its lisa.json says" in info.licence(str(checkpoint)).finding
    (checkpoint / "lisa.json").write_text(json.dumps({**settings, "licence": ""}))
    finding = info.licence(str(checkpoint))
    assert finding.severity is Severity.WARNING
    assert "no row of LICENSES.md" in finding.finding


@pytest.mark.slow
def test_info_and_the_command_itself_need_no_torch_and_no_ros() -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'rclpy', 'transformers', 'open3d'): sys.modules[name] = None\n"
        "from lisa_ros.cli.main import main\n"
        "sys.exit(main(['info', 'lisa-tiny']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
