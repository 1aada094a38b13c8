"""The set-up and the Makefile: what a newcomer is told, and what is passed on."""

from __future__ import annotations

import importlib
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
SETUP = CHECKOUT / "scripts" / "setup"
Load = Callable[[str], ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Import modules of scripts/setup, which is no package, and forget them afterwards."""
    names = {path.stem for path in SETUP.glob("*.py")}
    monkeypatch.syspath_prepend(str(SETUP))
    before = set(sys.modules)
    yield importlib.import_module
    for name in (set(sys.modules) - before) & names:
        del sys.modules[name]


def make(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return subprocess.run(
        ["make", "-s", "--no-print-directory", *arguments],
        cwd=CHECKOUT,
        env=kept | (env or {}),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_an_old_python_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 12, "final", 0))
    with pytest.raises(SystemExit, match=r"3\.11 or newer, and .* is Python 3\.10"):
        runpy.run_path(str(SETUP), run_name="__main__")


def test_the_entry_file_can_be_read_by_an_old_python() -> None:
    import ast

    ast.parse((SETUP / "__main__.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_a_missing_library_is_named_with_its_cure(
    load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine, progress = load("machine"), load("progress")
    monkeypatch.setattr(machine, "LIBRARIES", {"libnot-there.so.7": "libnot-there7"})
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)
    missing = machine.missing_parts()
    with pytest.raises(progress.SetupError) as caught:
        machine.install(missing, progress.Progress(tmp_path / "log"))
    assert "libnot-there.so.7" in str(caught.value)
    assert "sudo apt-get install -y libnot-there7" in str(caught.value)


def test_a_missing_compiler_is_found(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = load("machine")
    monkeypatch.setattr(machine, "LIBRARIES", {})
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    assert [part.package for part in machine.missing_parts()] == ["g++"]


def test_a_missing_venv_module_is_found(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = load("machine")
    monkeypatch.setattr(machine, "LIBRARIES", {})
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(machine.sys, "base_prefix", "/usr")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert f"{version}-venv" in [part.package for part in machine.missing_parts()]


def test_a_failed_command_shows_its_last_lines_and_advice(load: Load, tmp_path: Path) -> None:
    progress = load("progress")
    steps = progress.Progress(tmp_path / "log")
    steps.expect(1)
    noise = "import sys; print('\\n'.join(map(str, range(100)))); sys.exit('the reason')"
    with pytest.raises(progress.CommandFailedError) as caught, steps.step("Trying"):
        steps.run([sys.executable, "-c", noise], dict(os.environ), "do this")
    message = str(caught.value)
    assert "the reason" in message
    assert "do this" in message
    assert "\n    99\n" in message
    assert "\n    50\n" not in message


def test_an_unreachable_index_is_noticed(load: Load) -> None:
    assert not load("requirements").answers("http://127.0.0.1:9/simple")


def test_torch_comes_from_where_it_was_asked_for(load: Load) -> None:
    choose = load("requirements").torch_index
    assert choose("https://x/y", has_gpu=True) == "https://x/y"
    assert choose(None, has_gpu=True) is None
    assert choose(None, has_gpu=False).endswith("/whl/cpu")


def test_a_changed_interface_rebuilds_the_package_only(load: Load, tmp_path: Path) -> None:
    fingerprint = load("fingerprint")
    for name in ("pyproject.toml", "constraints.txt", "setup.py", "CMakeLists.txt"):
        (tmp_path / name).write_bytes((CHECKOUT / name).read_bytes())
    (tmp_path / "msg").mkdir()
    message = tmp_path / "msg" / "A.msg"
    message.write_text("uint8 a\n", encoding="utf-8")
    package, dependencies = fingerprint.of_package(tmp_path), fingerprint.of_dependencies(tmp_path)
    message.write_text("uint8 b\n", encoding="utf-8")
    assert fingerprint.of_package(tmp_path) != package
    assert fingerprint.of_dependencies(tmp_path) == dependencies
    pins = tmp_path / "constraints.txt"
    pins.write_text(pins.read_text(encoding="utf-8") + "other==1\n", encoding="utf-8")
    assert fingerprint.of_dependencies(tmp_path) != dependencies


def test_an_interrupted_step_leaves_its_mark_and_a_failed_one_does_not(
    load: Load, tmp_path: Path
) -> None:
    wheels, progress = load("wheels"), load("progress")
    mark = tmp_path / "unfinished"
    with pytest.raises(progress.CommandFailedError), wheels._marked(mark):
        raise progress.CommandFailedError("pip said no")
    assert not mark.exists()
    with pytest.raises(KeyboardInterrupt), wheels._marked(mark):
        raise KeyboardInterrupt
    assert mark.exists()


def test_the_environment_finds_its_own_tools_and_nothing_foreign(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    monkeypatch.setenv("PYTHONPATH", "/opt/ros/jazzy/lib/python3.12/site-packages")
    environment = load("environment").Environment(tmp_path / ".venv", load("progress").Progress)
    assert environment.variables["PATH"].startswith(f"{tmp_path}/.venv/bin{os.pathsep}")
    assert "ROS_DISTRO" not in environment.variables
    assert "PYTHONPATH" not in environment.variables
    assert not environment.works()


def test_the_stamp_keeps_what_it_is_not_told_about(load: Load, tmp_path: Path) -> None:
    stamp = load("stamp").Stamp(tmp_path / "stamp.json")
    assert stamp.get("torch_index") is None
    stamp.put(torch_index="https://x/y")
    stamp.put(dependencies="a", package="b")
    assert [stamp.get(key) for key in ("torch_index", "dependencies")] == ["https://x/y", "a"]
    (tmp_path / "stamp.json").write_text('{"torch_', encoding="utf-8")
    assert stamp.get("torch_index") is None


def test_every_target_is_explained() -> None:
    text = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split()) - {"have-python"}
    shown = make().stdout
    assert {
        line.split()[0] for line in shown.splitlines() if re.match(r"  [a-z-]+ +[a-zA-Z]", line)
    } == targets
    assert make("help").stdout == shown


@pytest.mark.parametrize(
    "words",
    [
        "the mug that costs $5 or ${HOME} or $(id)",
        'it\'s "quoted", `ticked` # and ; true && \\ backslashed',
        "--help",
        "マグカップ 100 %",
        "two\nlines",
    ],
)
@pytest.mark.parametrize("how", ["argument", "environment"])
def test_an_instruction_arrives_as_it_was_typed(words: str, how: str, tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text(
        f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n", encoding="utf-8"
    )
    fake.chmod(0o755)
    given = [f"INSTRUCTION={words}"] if how == "argument" else []
    env = {"INSTRUCTION": words} if how == "environment" else {"INSTRUCTION": ""}
    answer = make("demo", f"python={fake}", "setup=:", "SEED=7", *given, env=env)
    assert json.loads(answer.stdout) == [
        "-m",
        "lisa_ros.nodes.demo",
        "--seed=7",
        f"--instruction={words}",
    ], answer.stderr


def test_a_missing_python_is_named() -> None:
    answer = make("setup", "PYTHON=no-such-python")
    assert answer.returncode != 0
    assert "no-such-python is not installed" in answer.stdout
    assert "apt-get install -y python3" in answer.stdout


def test_the_makefile_drops_what_another_environment_left() -> None:
    plain = make("-n", "check", "setup=:").stdout
    assert "-u _ROS_WHEELS_BOOTSTRAP_COMPLETE" in plain
    assert "-u PYTHONPATH" not in plain
    sourced = make("-n", "check", "setup=:", env={"ROS_DISTRO": "jazzy"}).stdout
    assert "-u PYTHONPATH" in sourced
    assert "-u AMENT_PREFIX_PATH" in sourced
