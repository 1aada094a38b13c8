"""What pip has to install, read from pyproject.toml, and where PyTorch comes from."""

from __future__ import annotations

import subprocess
import threading
import tomllib
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

CPU_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE_TIMEOUT_S = 5.0


def project_requirements(
    checkout: Path, extras: list[str], python: Path, env: Mapping[str, str]
) -> list[str]:
    """List the package's dependencies with those of its extras, for the environment of `python`.

    Open3D is left out where `open3d` is installed: `open3d-cpu` is the same module under another
    name, and one would overwrite the other.
    """
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(each for extra in extras for each in optional[extra])]
    ask = [str(python), "-m", "pip", "show", "-q", "open3d"]
    if subprocess.run(ask, env=env, capture_output=True).returncode == 0:
        wanted = [each for each in wanted if not each.startswith("open3d")]
    return wanted


def build_requirements(checkout: Path) -> list[str]:
    """List what building the interfaces needs."""
    pyproject = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    requires: list[str] = pyproject["build-system"]["requires"]
    return requires


def pinned(checkout: Path, distribution: str) -> str:
    """Read the version that constraints.txt pins."""
    lines = (checkout / "constraints.txt").read_text(encoding="utf-8").splitlines()
    (version,) = [line.split("==")[1] for line in lines if line.startswith(f"{distribution}==")]
    return version


def torch_index(asked: str | None, has_gpu: bool) -> str | None:
    """Choose PyTorch's index: as asked, else CPU wheels, else the default one (None)."""
    return asked or (None if has_gpu else CPU_TORCH_INDEX)


def answers(index: str) -> bool:
    """Whether the package index can be reached; known in seconds, whatever the network does."""
    reached = threading.Event()

    def ask() -> None:
        request = urllib.request.Request(f"{index.rstrip('/')}/torch/", method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=PROBE_TIMEOUT_S):
                reached.set()
        except (OSError, urllib.error.URLError, ValueError):
            return

    # A thread, because the time-out of urlopen does not cover a name server that is silent.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_TIMEOUT_S)
    return reached.is_set()
