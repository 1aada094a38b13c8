"""What `lisa doctor` finds: each thing that can be wrong is wrong once."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lisa_ros.cli import doctor, imports, interfaces, ros_environment, shared_memory, versions
from lisa_ros.cli.imports import Imported
from lisa_ros.diagnosis import Diagnosis, Severity, broken, ok, warning

HASH = "0123456789abcdef"


def severities(findings: Iterable[Diagnosis]) -> list[Severity]:
    return [finding.severity for finding in findings]


def only(findings: Iterable[Diagnosis]) -> Diagnosis:
    (finding,) = findings
    return finding


def test_a_diagnosis_crosses_processes() -> None:
    sent = warning("disk", 'full of "ü"', "make room", ["a", "b"])
    assert Diagnosis.from_line(sent.to_line()) == sent
    assert "\n" not in sent.to_line()
    for rubbish in ("", "loading...", "[1]", '{"severity": "fine"}', '{"severity": "ok"}'):
        with pytest.raises((ValueError, TypeError)):
            Diagnosis.from_line(rubbish)


# Versions.


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"torch": "2.13.0+cpu", "numpy": "1.20.0", "peft": "0.1"}
    monkeypatch.setattr(versions, "installed_version", known.get)


@pytest.mark.usefixtures("installed")
def test_versions_are_compared_with_their_ranges() -> None:
    fine = versions.core_findings([Requirement("torch>=2.4"), Requirement("x; os_name == 'no'")])
    assert severities(fine) == [Severity.OK]
    old = only(versions.core_findings([Requirement("numpy>=1.26")]))
    assert old.severity is Severity.BROKEN
    assert "numpy is 1.20.0; expected >=1.26" in old.finding
    assert old.cure == "pip install 'numpy>=1.26'"
    missing = only(versions.core_findings([Requirement("pillow>=10")]))
    assert "pillow is not installed" in missing.finding
    extra = versions.extra_findings("train", [Requirement("peft>=0.15"), Requirement("deepspeed")])
    assert severities(extra) == [Severity.WARNING]


def test_this_environment_is_within_the_ranges() -> None:
    assert Severity.BROKEN not in severities(versions.check())


def test_unknown_ranges_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "installed_file", lambda name: None)
    assert severities(versions.check()) == [Severity.WARNING]


# Imports.


@pytest.mark.slow
def test_modules_are_tried_in_another_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "fine_module.py").write_text("__version__ = '3.1'\nprint('[W hello]')\n")
    (tmp_path / "clash.py").write_text("raise RuntimeError('operator nms does not exist')\n")
    (tmp_path / "crash.py").write_text("import os; os.kill(os.getpid(), 11)\n")
    tried = imports.try_imports(("fine_module", "clash", "crash", "fine_module"))
    assert tried == [
        Imported("fine_module", "", "3.1"),
        Imported("clash", "RuntimeError: operator nms does not exist"),
        Imported("crash", "the process crashed with signal 11"),
    ]
    (tmp_path / "hang.py").write_text("import time; time.sleep(600)\n")
    assert "nothing came" in imports.try_imports(("hang",), timeout_s=5.0)[-1].problem


def test_the_first_failed_import_is_the_cause() -> None:
    torn = [Imported("torch", "", "2"), Imported("torchvision", "RuntimeError: nms"),
            Imported("lisa_ros.inference.engine", "ModuleNotFoundError")]  # fmt: skip
    finding = only(imports.findings("model code", torn))
    assert "torchvision cannot be imported: RuntimeError: nms" in finding.finding
    assert "pip uninstall torchvision" in finding.cure
    missing = only(imports.findings("ROS 2 code", [Imported("lisa_ros.msg", "no module")]))
    assert "generated" in missing.cure
    assert severities(imports.findings("x", [Imported("torch", "", "2")])) == [Severity.OK]


def test_gpus_that_torch_cannot_see_are_told_from_none() -> None:
    judge = imports.gpu_diagnosis
    assert judge("12.8", [("H200", 141_000)], has_driver=True).severity is Severity.OK
    assert judge(None, [], has_driver=False).severity is Severity.OK
    assert "built for the CPU" in judge(None, [], has_driver=True).finding
    assert "nvidia-smi" in judge("12.8", [], has_driver=True).cure


# Interfaces.


def test_interfaces_that_changed_since_they_were_built(tmp_path: Path) -> None:
    clone, share = tmp_path / "clone", tmp_path / "share"
    for root in (clone, share):
        (root / "msg").mkdir(parents=True)
        (root / "msg" / "A.msg").write_text("uint8 x  # a number\n")
    (clone / "srv").mkdir()
    assert list(interfaces.changed_files(clone, share)) == []
    (clone / "msg" / "A.msg").write_text("# better words\n\nuint8  x\n")
    assert list(interfaces.changed_files(clone, share)) == []
    (clone / "msg" / "A.msg").write_text("uint8 x\nuint8 y\n")
    (clone / "srv" / "B.srv").write_text("---\n")
    assert list(interfaces.changed_files(clone, share)) == ["msg/A.msg", "srv/B.srv"]


def test_interfaces_that_were_never_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interfaces, "share_folder", lambda: None)
    assert only(interfaces.check()).severity is Severity.BROKEN
    monkeypatch.setattr(interfaces, "checkout", lambda: None)
    assert list(interfaces.check()) == []


# ROS 2's environment.


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        ("", Severity.OK), ("0", Severity.OK), ("101", Severity.OK), ("102", Severity.WARNING),
        ("214", Severity.WARNING), ("232", Severity.OK), ("233", Severity.BROKEN),
        ("-1", Severity.BROKEN), ("lab", Severity.BROKEN), ("²", Severity.BROKEN),
    ],
)  # fmt: skip
def test_domains(value: str, severity: Severity) -> None:
    assert ros_environment.domain(value).severity is severity


@pytest.mark.parametrize(
    ("environment", "severity", "words"),
    [
        ({}, Severity.OK, "subnet"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, Severity.OK, "this machine only"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF"}, Severity.WARNING, "no node finds another"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "FAR"}, Severity.WARNING, "'FAR'"),
        ({"ROS_LOCALHOST_ONLY": "1"}, Severity.WARNING, "other machines are not found"),
    ],
)
def test_how_far_nodes_look(environment: dict[str, str], severity: Severity, words: str) -> None:
    finding = only(ros_environment.discovery(environment))
    assert finding.severity is severity
    assert words in finding.finding
    assert finding.details == tuple(f"{name}={value}" for name, value in environment.items())


def test_an_environment_in_which_no_node_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ros_environment, "installed_version", lambda name: "7.1.6")
    (tmp_path / "file").write_text("x")
    good = {"HOME": str(tmp_path)}
    assert severities(ros_environment.check(good)) == [Severity.OK, Severity.OK]
    for wrong, severity, words in (
        ({"HOME": ""}, Severity.BROKEN, "no node can start"),
        ({"ROS_LOG_DIR": str(tmp_path / "file" / "log")}, Severity.BROKEN, "cannot be written"),
        ({"FASTRTPS_DEFAULT_PROFILES_FILE": "/no.xml"}, Severity.WARNING, "is no file"),
        ({"ROS_DISTRO": "jazzy"}, Severity.WARNING, "there are two"),
    ):
        found = [f for f in ros_environment.check({**good, **wrong}) if f.severity != Severity.OK]
        assert only(found).severity is severity, wrong
        assert words in only(found).finding


# Shared memory.


def segment(folder: Path, name: str, *, age_s: float = 3600.0) -> Path:
    path = folder / name
    path.write_bytes(bytes(1000))
    (folder / f"{name}_el").touch()
    then = path.stat().st_mtime - age_s
    os.utime(path, (then, then))
    return path


def test_segments_of_dead_processes_are_told_from_the_others(tmp_path: Path) -> None:
    left = segment(tmp_path, f"fastrtps_{HASH}")
    held = segment(tmp_path, f"fastrtps_{HASH[::-1]}")
    segment(tmp_path, f"fastrtps_{'0' * 16}", age_s=0.0)  # may not have locked it yet
    segment(tmp_path, "fastrtps_port7413")
    segment(tmp_path, "mine")
    with (tmp_path / f"{held.name}_el").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert list(shared_memory.leftovers(tmp_path)) == [(left, 1000)]
        finding = only(shared_memory.check(tmp_path))
        assert finding.severity is Severity.WARNING
        assert finding.details == (str(left),)
    (tmp_path / f"{left.name}_el").unlink()
    assert [path for path, _ in shared_memory.leftovers(tmp_path)] == [left, held]


def test_shared_memory_that_is_full_or_clean_or_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert only(shared_memory.check(tmp_path)).severity is Severity.OK
    assert only(shared_memory.check(tmp_path / "no")).severity is Severity.WARNING
    monkeypatch.setattr(shared_memory, "_LITTLE_BYTES", 2**80)
    assert only(shared_memory.check(tmp_path)).severity is Severity.BROKEN


# The command.


def quiet(monkeypatch: pytest.MonkeyPatch, ros: list[Diagnosis], live: list[Diagnosis]) -> None:
    """Leave the slow checks out."""
    monkeypatch.setattr(imports, "model_findings", list)
    monkeypatch.setattr(imports, "simulation_findings", list)
    monkeypatch.setattr(imports, "ros_findings", lambda: ros)
    monkeypatch.setattr(doctor, "running", lambda wait_s: live)
    monkeypatch.setattr(interfaces, "check", list)
    monkeypatch.setattr(ros_environment, "check", lambda environment: [])
    monkeypatch.setattr(shared_memory, "check", list)


def test_the_exit_code_says_whether_something_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet(monkeypatch, [ok("ROS 2 code", "fine")], [warning("inputs", "silent", "wait")])
    assert doctor.main([]) == 0
    printed = capsys.readouterr().out
    assert "warning  inputs: silent\n         → wait\n" in printed
    assert "lisa-tiny" in printed
    quiet(monkeypatch, [broken("ROS 2 code", "no rclpy", "source it")], [ok("never", "asked")])
    assert doctor.main(["--json"]) == 1
    found = [Diagnosis.from_line(line) for line in capsys.readouterr().out.splitlines()]
    assert "never" not in {finding.subject for finding in found}


def test_the_weights_are_those_of_the_node_that_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    live = [warning("model", "loading", "wait", [f"model: {tmp_path}"])]
    quiet(monkeypatch, [], live)
    assert doctor.main([]) == 1
    assert f"{tmp_path} in {tmp_path} cannot be loaded" in capsys.readouterr().out
    assert doctor.main(["--model", "lisa-tiny"]) == 0


def test_a_missing_package_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lisa_ros.cli.versions", None)
    quiet(monkeypatch, [], [])
    assert doctor.main([]) == 1


@pytest.mark.slow
def test_a_client_that_cannot_start_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    finding = only(doctor.running(0.1))
    assert finding.severity is Severity.BROKEN
    assert "it ended with 1" in finding.finding
