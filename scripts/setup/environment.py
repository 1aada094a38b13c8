"""The virtual environment of route 1, and pip inside it, shielded from other installations."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from progress import Progress

NETWORK_ADVICE = "check the network (and any proxy), then run the same command again."
# A sourced ROS, or a shell inside another environment of ROS wheels, would mix its libraries in.
FOREIGN_VARIABLES = (
    "ROS_DISTRO", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH",
    "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "_ROS_WHEELS_BOOTSTRAP_COMPLETE",
)  # fmt: skip


class Environment:
    """The virtual environment, and commands run in it."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self._progress = progress
        self.variables = {
            key: value for key, value in os.environ.items() if key not in FOREIGN_VARIABLES
        }
        self.variables |= {
            # cmake and ninja are wheels too, and a build without isolation looks for them in PATH.
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
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

    def version_of(self, distribution: str) -> str | None:
        """Return the installed version without its build (+cpu, +cu126); None: not installed."""
        ask = f"from importlib.metadata import version; print(version({distribution!r}))"
        command = [str(self.python), "-c", ask]
        answer = subprocess.run(command, env=self.variables, capture_output=True, text=True)
        return answer.stdout.strip().split("+")[0] if answer.returncode == 0 else None

    def create(self) -> None:
        """Make it anew, empty but for pip."""
        command = [sys.executable, "-m", "venv", "--clear", self.folder]
        self._progress.run(
            command, self.variables, f"remove {self.folder} and run the same command again."
        )

    def pip(self, *arguments: object, advice: str = NETWORK_ADVICE, **variables: str) -> None:
        """Run `pip install`, with `variables` added to its environment."""
        command = [self.python, "-m", "pip", "install", *arguments]
        self._progress.run(command, {**self.variables, **variables}, advice)

    def size_gb(self) -> float:
        """Sum the sizes of its files."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sum(path.lstat().st_size for path in files) / 1e9
