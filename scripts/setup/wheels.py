"""Route 1: no ROS on the machine. A .venv with ROS 2 Jazzy from PyPI, PyTorch, our interfaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fingerprint
import machine
import requirements
from progress import CommandFailedError, Progress, SetupError

EXTRAS = ["ros", "sim", "train", "test", "dev"]
NETWORK_ADVICE = "check the network (and any proxy), then run the same command again."
# A sourced ROS, or a shell inside another environment of ROS wheels, would mix its libraries in.
FOREIGN_VARIABLES = (
    "ROS_DISTRO", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH",
    "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "_ROS_WHEELS_BOOTSTRAP_COMPLETE",
)  # fmt: skip
LOAD_CHECK = "import numpy, open3d, rclpy, torch, transformers, lisa_ros.msg, lisa_ros.action"


def set_up(checkout: Path, state: Path, torch_index: str | None, progress: Progress) -> None:
    """Bring .venv up to date; does nothing, in a moment, where it already is."""
    stamp = _Stamp(state / "stamp.json")
    environment = _Environment(checkout / ".venv", progress)
    unfinished = state / "unfinished"
    dependencies = fingerprint.of_dependencies(checkout)
    package = fingerprint.of_package(checkout)
    intact = not unfinished.exists() and environment.works()
    torch_is_right = not torch_index or torch_index == stamp.get("torch_index")
    if intact and torch_is_right and stamp.get("dependencies") == dependencies:
        if stamp.get("package") != package:
            progress.expect(2)
            _install_package(checkout, environment, progress)
            _check(environment, progress)
            stamp.put(package=package)
        return

    begin = time.monotonic()
    torch_index = torch_index or stamp.get("torch_index")
    _greet(intact)
    progress.expect(6)
    stamp.clear()
    with progress.step("Checking this machine"):
        machine.check_platform()
        if missing := machine.missing_parts():
            machine.install(missing, progress)
    with _marked(unfinished):
        if not intact:
            with progress.step(f"Creating .venv (Python {sys.version.split()[0]})"):
                environment.create()
        else:
            with progress.step("Keeping .venv"):
                pass
        _install_torch(checkout, environment, torch_index, progress)
        _install_requirements(checkout, environment, progress)
        _install_package(checkout, environment, progress)
    _check(environment, progress)
    stamp.put(dependencies=dependencies, package=package, torch_index=torch_index)
    seconds, size_gb = time.monotonic() - begin, _size_gb(environment.folder)
    print(f"Set up in {seconds:.0f} s; .venv takes {size_gb:.1f} GB.\n", flush=True)


class _Environment:
    """The virtual environment, and commands run in it."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self._progress = progress
        self.variables = {
            key: value for key, value in os.environ.items() if key not in FOREIGN_VARIABLES
        }
        self.variables |= {
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "PIP_USER": "0",
        }

    def works(self) -> bool:
        """Whether the environment is whole, was made in this place, and has a new enough Python."""
        ask = "import sys, pip; print(sys.version_info >= (3, 11), sys.prefix)"
        command = [str(self.python), "-c", ask]
        try:
            answer = subprocess.run(
                command, env=self.variables, capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            return False
        return answer.stdout.strip() == f"True {self.folder}"

    def create(self) -> None:
        command = [sys.executable, "-m", "venv", "--clear", self.folder]
        self._progress.run(
            command, self.variables, f"remove {self.folder} and run the same command again."
        )

    def pip(self, *arguments: object, advice: str = NETWORK_ADVICE, **variables: str) -> None:
        command = [self.python, "-m", "pip", "install", *arguments]
        self._progress.run(command, {**self.variables, **variables}, advice)


class _Stamp:
    """What the last finished set-up was made from."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str) -> str | None:
        # Absent, or cut off by an interruption: both mean that nothing is known.
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return values.get(key) if isinstance(values, dict) else None

    def put(self, **values: str | None) -> None:
        kept = {key: self.get(key) for key in ("dependencies", "package", "torch_index")}
        self._path.write_text(json.dumps(kept | values, indent=1), encoding="utf-8")

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)


@contextmanager
def _marked(unfinished: Path) -> Iterator[None]:
    """Leave a mark where the body is killed or interrupted: pip may have left half a package.

    A command that failed by itself has cleaned up after itself, and what it installed can be kept.
    """
    unfinished.touch()
    try:
        yield
    except CommandFailedError:
        unfinished.unlink()
        raise
    unfinished.unlink()


def _greet(intact: bool) -> None:
    print(
        "Bringing .venv up to date." if intact else "Setting up (once; later runs start at once).",
        flush=True,
    )
    if sys.version_info[:2] != (3, 11):
        print(
            f"Note: Python {sys.version.split()[0]} is newer than 3.11, the one that is tested.",
            flush=True,
        )
    if os.environ.get("ROS_DISTRO"):
        print(
            "Note: the ROS 2 of this shell is not used here; `make ros` builds for it.", flush=True
        )


def _install_torch(
    checkout: Path, environment: _Environment, asked: str | None, progress: Progress
) -> None:
    index = requirements.torch_index(asked, machine.has_nvidia_gpu())
    source: list[str] = []
    title = "PyTorch (an NVIDIA GPU was found: the CUDA build, about 3 GB)"
    if index and requirements.answers(index):
        # Without its dependencies: they come with the next step, from the default index.
        source = ["--no-deps", "--index-url", index, *(["--force-reinstall"] if asked else [])]
        cpu = index == requirements.CPU_TORCH_INDEX
        title = f"PyTorch ({'the CPU build, about 200 MB' if cpu else f'from {index}'})"
    elif index == requirements.CPU_TORCH_INDEX:
        print(f"Note: {index} cannot be reached.", flush=True)
        title = "PyTorch from the default index, whose build may be several GB larger"
    elif index:
        raise SetupError(
            f"TORCH_INDEX={index} does not answer.\n"
            "What to do: check the address and the network, or leave it out."
        )
    with progress.step(f"Installing {title}"):
        environment.pip(*source, "-c", checkout / "constraints.txt", "torch")


def _install_requirements(checkout: Path, environment: _Environment, progress: Progress) -> None:
    python, variables = environment.python, environment.variables
    wanted = requirements.project_requirements(checkout, EXTRAS, python, variables)
    wanted += requirements.build_requirements(checkout)
    with progress.step(
        "Installing ROS 2 Jazzy (rclpy, Fast DDS), transformers, Open3D and others (about 290 MB)"
    ):
        environment.pip("-c", checkout / "constraints.txt", *wanted)


def _install_package(checkout: Path, environment: _Environment, progress: Progress) -> None:
    advice = "read the compiler's first error in the log; `make clean` starts from nothing."
    with progress.step("Compiling the ROS interfaces (up to a minute)"):
        flags = ["--no-build-isolation", "--no-deps", "--force-reinstall"]
        environment.pip(*flags, checkout, advice=advice, LISA_ROS_DEVELOP="1")
        shutil.rmtree(checkout / "lisa_ros.egg-info", ignore_errors=True)


def _check(environment: _Environment, progress: Progress) -> None:
    advice = (
        "if the last line names a .so file, install the system package that has it; "
        "otherwise start from nothing with `make clean`."
    )
    with progress.step("Checking that everything loads"):
        progress.run([environment.python, "-c", LOAD_CHECK], environment.variables, advice)


def _size_gb(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9
