"""Node processes that a client starts for itself, on a domain of their own, and always ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from lisa_ros.nodes.own_domain import own_domain

_END_TIMEOUT_S = 10.0
_LOG_TAIL_LINES = 15


def isolate_from_other_robots() -> None:
    """Give this process and its children a ROS domain on this machine that nobody else is in.

    Call before rclpy.init. Raises ConfigurationError when all domains are in use.
    """
    os.environ["ROS_DOMAIN_ID"] = str(own_domain())
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


class ChildProcesses:
    """Python modules that run as processes; leaving the `with` block ends them."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> ChildProcesses:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self._running.values():
            try:
                process.wait(_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, name: str, arguments: Sequence[str]) -> int:
        """Start `python ARGUMENTS` with this interpreter; return its process id."""
        with self._log_path(name).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._running[name] = process
        return process.pid

    def ended(self) -> str:
        """Say which process has ended too early and how; empty while all of them run."""
        for name, process in self._running.items():
            code = process.poll()
            if code is not None:
                return f"the {name} process ended with exit code {code}"
        return ""

    def log_tails(self) -> str:
        """Return the last lines of every process, for people."""
        tails = []
        for name in self._running:
            path = self._log_path(name)
            lines = path.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
            tails.append(f"--- {name} ({path}):\n" + "\n".join(lines))
        return "\n".join(tails)

    def _log_path(self, name: str) -> Path:
        return self._log_dir / f"{name}.log"
