"""Route 1: no ROS on the machine. A .venv with ROS 2 Jazzy from PyPI, PyTorch, our interfaces."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fingerprint
import machine
import requirements
from environment import Environment
from progress import CommandFailedError, Progress, SetupError
from stamp import Stamp

EXTRAS = ["ros", "sim", "train", "test", "dev"]
LOAD_CHECK = "import numpy, open3d, rclpy, torch, transformers, lisa_ros.msg, lisa_ros.action"


def set_up(checkout: Path, state: Path, torch_index: str | None, progress: Progress) -> None:
    """Bring .venv up to date; does nothing, in a moment, where it already is."""
    stamp = Stamp(state / "stamp.json")
    environment = Environment(checkout / ".venv", progress)
    unfinished = state / "unfinished"
    dependencies = fingerprint.of_dependencies(checkout)
    package = fingerprint.of_package(checkout)
    remembered = stamp.get("torch_index")
    torch_index = torch_index or remembered
    intact = not unfinished.exists() and environment.works()
    if intact and stamp.get("dependencies") == dependencies and torch_index == remembered:
        if stamp.get("package") != package:
            progress.expect(2)
            _install_package(checkout, environment, progress)
            _check(environment, progress)
            stamp.put(package=package)
        return

    begin = time.monotonic()
    _greet(intact)
    progress.expect(6)
    stamp.put(dependencies=None, package=None)
    with progress.step("Checking this machine"):
        machine.check_platform()
        if missing := machine.missing_parts():
            machine.install(missing, progress)
    with _marked(unfinished):
        if intact:
            progress.skip("Keeping .venv")
        else:
            with progress.step(f"Creating .venv (Python {sys.version.split()[0]})"):
                environment.create()
        pin = requirements.pinned(checkout, "torch")
        if torch_index == remembered and environment.version_of("torch") == pin:
            progress.skip(f"Keeping PyTorch {pin}")
        else:
            _install_torch(checkout, environment, torch_index, progress)
            stamp.put(torch_index=torch_index)
        _install_requirements(checkout, environment, progress)
        _install_package(checkout, environment, progress)
    _check(environment, progress)
    stamp.put(dependencies=dependencies, package=package)
    seconds, size_gb = time.monotonic() - begin, environment.size_gb()
    print(f"Set up in {seconds:.0f} s; .venv takes {size_gb:.1f} GB.\n", flush=True)


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
    lines = [
        "Bringing .venv up to date." if intact else "Setting up (once; later runs start at once)."
    ]
    if sys.version_info[:2] != (3, 11):
        lines.append(f"Note: Python {sys.version.split()[0]} is untested; 3.11 is tested.")
    if os.environ.get("ROS_DISTRO"):
        lines.append("Note: the ROS 2 of this shell is not used; `make ros` builds for it.")
    print("\n".join(lines), flush=True)


def _install_torch(
    checkout: Path, environment: Environment, asked: str | None, progress: Progress
) -> None:
    index = requirements.torch_index(asked, machine.has_nvidia_gpu())
    source: list[str] = []
    title = "PyTorch (NVIDIA GPU found: CUDA build, about 3 GB)"
    if index and requirements.answers(index):
        # Without its dependencies: they come with the next step, from the default index.
        source = ["--no-deps", "--index-url", index, *(["--force-reinstall"] if asked else [])]
        cpu = index == requirements.CPU_TORCH_INDEX
        title = f"PyTorch ({'CPU build, about 200 MB' if cpu else f'from {index}'})"
    elif index == requirements.CPU_TORCH_INDEX:
        print(
            f"Note: {index} cannot be reached. PyTorch comes from the\n"
            "      default index instead, whose build may be several GB larger.",
            flush=True,
        )
        title = "PyTorch (from the default index)"
    elif index:
        raise SetupError(
            f"TORCH_INDEX={index} does not answer.\n"
            "What to do: check the address and the network, or leave it out."
        )
    with progress.step(f"Installing {title}"):
        environment.pip(*source, "-c", checkout / "constraints.txt", "torch")


def _install_requirements(checkout: Path, environment: Environment, progress: Progress) -> None:
    python, variables = environment.python, environment.variables
    wanted = requirements.project_requirements(checkout, EXTRAS, python, variables)
    wanted += requirements.build_requirements(checkout)
    with progress.step("Installing ROS 2 Jazzy, transformers, Open3D (290 MB)"):
        environment.pip("-c", checkout / "constraints.txt", *wanted)


def _install_package(checkout: Path, environment: Environment, progress: Progress) -> None:
    advice = "read the compiler's first error in the log; `make clean` starts from nothing."
    with progress.step("Compiling the ROS interfaces (up to a minute)"):
        flags = ["--no-build-isolation", "--no-deps", "--force-reinstall"]
        environment.pip(*flags, checkout, advice=advice, LISA_ROS_DEVELOP="1")
        shutil.rmtree(checkout / "lisa_ros.egg-info", ignore_errors=True)


def _check(environment: Environment, progress: Progress) -> None:
    advice = (
        "if the last line names a .so file, install the system package that has it; "
        "otherwise start from nothing with `make clean`."
    )
    with progress.step("Checking that everything loads"):
        progress.run([environment.python, "-c", LOAD_CHECK], environment.variables, advice)
