"""`lisa`: what it says by itself, and which process it becomes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import lisa_ros
from lisa_ros.cli import installed_files, processes
from lisa_ros.cli.main import main

CHECKOUT = Path(__file__).resolve().parents[2]


class Become:
    """Stands in for execve, which does not return."""

    def __init__(self) -> None:
        self.command: list[str] = []
        self.environment: Mapping[str, str] = {}

    def __call__(self, path: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        assert path == sys.executable == command[0]
        self.command, self.environment = list(command), environment
        raise SystemExit(0)


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    made = Become()
    monkeypatch.setattr(os, "execve", made)
    return made


def test_it_says_what_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == 0
    words = capsys.readouterr().out
    for command in ("doctor", "info", "ask", "demo", "finetune", "bench"):
        assert f"  {command} " in words
    assert main(["--version"]) == 0
    assert lisa_ros.__version__ in capsys.readouterr().out
    assert main(["dance"]) == 2
    assert "no command 'dance'" in capsys.readouterr().err


def test_tools_run_from_the_clone_wherever_they_are_called(
    become: Become, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    with pytest.raises(SystemExit):
        main(["finetune", "lab.yaml", "steps=3"])
    assert become.command[1:] == ["-P", "-m", "training.train", "lab.yaml", "steps=3"]
    assert become.environment["PYTHONPATH"] == f"{CHECKOUT}{os.pathsep}/elsewhere"
    with pytest.raises(SystemExit):
        main(["bench", "engine", "--seed", "3"])
    assert become.command[1:] == ["-P", "-m", "benchmarks.engine", "--seed", "3"]


def test_benchmarks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench"]) == 0
    assert "  engine\n" in capsys.readouterr().out
    names = processes.benchmark_names(CHECKOUT)
    assert {"engine", "lab_finetune"} <= set(names)
    assert not {"command", "following_figures"} & set(names), (
        "parts of benchmarks, which print nothing"
    )
    assert main(["bench", "nothing"]) == 2
    assert "there is no 'nothing'" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["finetune", "lab.yaml"], ["bench"], ["bench", "engine"]])
def test_without_a_clone_they_say_what_to_do(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "checkout", lambda: None)
    assert main(command) == 1
    assert "Clone it, run `make setup`" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["ask", "demo"])
def test_clients_become_their_node(
    command: str, become: Become, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes.importlib.util, "find_spec", lambda name: object())
    with pytest.raises(SystemExit):
        main([command, "I am thirsty", "--json"])
    module = {"ask": "lisa_ros.nodes.ask", "demo": "lisa_ros.nodes.demo"}[command]
    assert become.command[1:] == ["-m", module, "I am thirsty", "--json"]


@pytest.mark.parametrize("command", ["ask", "demo"])
@pytest.mark.parametrize("missing", ["rclpy", "lisa_ros.msg"])
def test_clients_without_ros_say_what_to_do(
    command: str,
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        processes.importlib.util, "find_spec", lambda name: None if name == missing else object()
    )
    assert main([command, "the mug"]) == 1
    said = capsys.readouterr().err
    assert missing in said
    assert "make setup" in said


def test_files_of_the_installation_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert installed_files.checkout() == CHECKOUT
    assert installed_files.installed_file("LICENSES.md") == CHECKOUT / "LICENSES.md"
    assert installed_files.installed_file("nothing.md") is None
    share = tmp_path / "share" / "lisa_ros"
    share.mkdir(parents=True)
    for name in ("package.xml", "LICENSES.md"):
        (share / name).write_text("x")
    monkeypatch.setattr(installed_files, "checkout", lambda: None)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere{os.pathsep}{tmp_path}")
    assert installed_files.installed_file("LICENSES.md") == share / "LICENSES.md"
