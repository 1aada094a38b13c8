"""Commands that are processes of their own: clients of a node, training, benchmarks.

They take this process's place, so that signals, terminal and exit code are theirs.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lisa_ros.cli.installed_files import checkout

_NO_ROS = (
    "lisa {command} needs ROS 2 and this package's interfaces, but {module} cannot be found. "
    "`make setup` in a clone brings both; on a ROS 2 machine source install/setup.bash. "
    "`lisa doctor` says more."
)
_NO_CLONE = (
    "lisa {command} runs from a clone of the repository, and lisa_ros is installed without one. "
    "Clone it, run `make setup` there, and use .venv/bin/lisa of that clone."
)

# What a module has that does something when it is run; others are parts of benchmarks.
_MAIN = 'if __name__ == "__main__":'


def ask(arguments: Sequence[str]) -> int:
    """`lisa ask`: a client of a running node; see lisa_ros.nodes.ask."""
    return _become_client("ask", "lisa_ros.nodes.ask", arguments)


def demo(arguments: Sequence[str]) -> int:
    """`lisa demo`: see lisa_ros.nodes.demo."""
    return _become_client("demo", "lisa_ros.nodes.demo", arguments)


def finetune(arguments: Sequence[str]) -> int:
    """`lisa finetune`: python -m training.train."""
    return _become_tool("finetune", "training.train", arguments)


def bench(arguments: Sequence[str]) -> int:
    """`lisa bench`: python -m benchmarks.NAME, or the names."""
    clone = checkout()
    known = () if clone is None else benchmark_names(clone)
    if clone is not None and (not arguments or arguments[0] in ("-h", "--help")):
        print("usage: lisa bench NAME ...\n\n" + "\n".join(f"  {name}" for name in known))
        return 0
    if clone is not None and arguments[0] not in known:
        print(
            f"lisa bench: there is no {arguments[0]!r}; there are {', '.join(known)}.",
            file=sys.stderr,
        )
        return 2
    return _become_tool("bench", f"benchmarks.{''.join(arguments[:1])}", arguments[1:])


def benchmark_names(clone: Path) -> tuple[str, ...]:
    """What can be run as benchmarks.NAME."""
    folder = clone / "benchmarks"
    files = [path.stem for path in folder.glob("*.py") if _MAIN in path.read_text("utf-8")]
    packages = [path.parent.name for path in folder.glob("*/__main__.py")]
    return tuple(sorted(files + packages))


def _become_client(command: str, module: str, arguments: Sequence[str]) -> int:
    for needed in ("rclpy", "lisa_ros.msg"):
        if importlib.util.find_spec(needed) is None:
            print(_NO_ROS.format(command=command, module=needed), file=sys.stderr)
            return 1
    return _become([sys.executable, "-m", module, *arguments], os.environ)


def _become_tool(command: str, module: str, arguments: Sequence[str]) -> int:
    clone = checkout()
    if clone is None:
        print(_NO_CLONE.format(command=command), file=sys.stderr)
        return 1
    # Wherever it is called from: the clone's own modules, and none of that name in this folder.
    path = os.pathsep.join(filter(None, [str(clone), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    return _become([sys.executable, "-P", "-m", module, *arguments], environment)


def _become(command: list[str], environment: Mapping[str, str]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, environment)
