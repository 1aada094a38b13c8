"""`lisa COMMAND ...`: what it can do, and who does it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lisa_ros import __version__
from lisa_ros.cli import doctor, info, processes


@dataclass(frozen=True)
class _Command:
    help: str
    run: Callable[[Sequence[str]], int]


_COMMANDS = {
    "doctor": _Command("what is wrong with the installation and with what runs", doctor.main),
    "info": _Command("what a checkpoint is, and the licences of models and data sets", info.main),
    "ask": _Command('ask a running perception node: lisa ask "the red mug"', processes.ask),
    "demo": _Command("camera, perception and a robot in a simulated room", processes.demo),
    "finetune": _Command(
        "train on your recordings: lisa finetune CONFIG [key=value ...]", processes.finetune
    ),
    "bench": _Command(
        "measure: lisa bench NAME ...; without a name, what there is", processes.bench
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code. 2: there is no such command."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given[0] if given else "--help"
    if name in ("-h", "--help"):
        print(_help())
        return 0
    if name == "--version":
        print(f"lisa_ros {__version__}")
        return 0
    command = _COMMANDS.get(name)
    if command is None:
        print(f"lisa: there is no command {name!r}.\n\n{_help()}", file=sys.stderr)
        return 2
    try:
        return command.run(given[1:])
    except BrokenPipeError:  # `lisa info | head`: who reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _help() -> str:
    lines = [f"  {name:<9} {command.help}" for name, command in _COMMANDS.items()]
    return "\n".join(["usage: lisa COMMAND ...", "", *lines, "", "lisa COMMAND --help says more."])


if __name__ == "__main__":
    sys.exit(main())
