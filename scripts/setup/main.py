"""The command line of the set-up, and how its errors are shown."""

from __future__ import annotations

import argparse
import fcntl
import signal
import sys
from pathlib import Path

import ros_workspace
import wheels
from progress import Progress, SetupError

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".setup"


def main() -> int:
    """Run one of the two routes; return the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/setup", description="Set up this checkout.")
    parser.add_argument(
        "route",
        nargs="?",
        choices=["wheels", "ros"],
        default="wheels",
        help="wheels: .venv with ROS 2 from PyPI (default); ros: for the ROS 2 of this machine",
    )
    parser.add_argument(
        "--torch-index", help="where PyTorch comes from; default: by what this machine has"
    )
    parser.add_argument("--workspace", type=Path, help="route ros: the colcon workspace")
    arguments = parser.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    STATE.mkdir(exist_ok=True)
    progress = Progress(STATE / "setup.log")
    with (STATE / "lock").open("w") as lock:
        try:
            _wait_for(lock)
            if arguments.route == "ros":
                ros_workspace.set_up(CHECKOUT, arguments.workspace, arguments.torch_index, progress)
            else:
                wheels.set_up(CHECKOUT, STATE, arguments.torch_index, progress)
        except SetupError as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted. Run the same command again to go on.", file=sys.stderr)
            return 130
    return 0


def _wait_for(lock: object) -> None:
    """Let one set-up of this checkout run at a time."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[arg-type]
    except BlockingIOError:
        print("Waiting for another set-up of this checkout to end ...", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)  # type: ignore[arg-type]
