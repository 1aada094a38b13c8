"""Start node processes for the tests and end them again, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lisa_ros.nodes.own_domain import own_domain

REPOSITORY = Path(__file__).parents[2]
# One domain for each test process, so that suites that run side by side never meet.
DOMAIN_ID = own_domain()
_END_TIMEOUT_S = 60.0
FAKE_PERCEPTION = str(Path(__file__).with_name("fake_perception.py"))


class NodeProcess:
    """One node in its own process; its output is kept for the failure message."""

    def __init__(self, name: str, command: list[str], log_dir: Path) -> None:
        self.log_path = log_dir / f"{name}.log"
        with self.log_path.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                cwd=REPOSITORY,
                env=node_environment(log_dir),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    @property
    def process_id(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.poll() is None

    def send(self, signal_number: int) -> None:
        self._process.send_signal(signal_number)

    def end(self, signal_number: int = signal.SIGINT) -> int:
        """Send a signal, wait for the end and return the exit code; staying is a failure."""
        self.send(signal_number)
        try:
            return self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"the process did not end within {_END_TIMEOUT_S} s:\n{self.log}"
            ) from None

    def kill(self) -> None:
        if self.is_running():
            self._process.kill()
            self._process.wait()


def node_environment(log_dir: Path) -> dict[str, str]:
    return {
        **os.environ,
        "ROS_DOMAIN_ID": str(DOMAIN_ID),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_PYTHON_CHECK_FIELDS": "1",
        "ROS_LOG_DIR": str(log_dir),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
    }


# The fixture `start_node` of conftest.py.
StartNode = Callable[..., NodeProcess]
