"""`lisa doctor`: what is wrong with this installation and with what runs, and what to do.

Looks at versions, interfaces, ROS 2's environment, shared memory, the GPU and the weights; then
listens for some seconds to every perception node that it can see. The exit code is 1 if something
is broken.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

from lisa_ros import __version__
from lisa_ros.cli import imports, interfaces, ros_environment, shared_memory
from lisa_ros.diagnosis import Diagnosis, Severity, broken

_DEFAULT_MODEL = "lisa-tiny"
_MODEL_DETAIL = "model: "
# What the listening process needs besides listening: its imports, on a busy machine.
_OVERHEAD_S = 120.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every finding as it comes; return the exit code."""
    options = _parse(arguments)
    worst = []
    if not options.json:
        print(f"lisa_ros {__version__}, Python {sys.version.split()[0]} ({sys.executable})\n")
    for finding in _findings(options):
        worst.append(finding.severity)
        print(finding.to_line() if options.json else told(finding, options.verbose), flush=True)
    n_broken, n_warned = worst.count(Severity.BROKEN), worst.count(Severity.WARNING)
    if not options.json:
        print(f"\n{n_broken} broken, {n_warned} warnings")
    return int(n_broken > 0)


def told(finding: Diagnosis, verbose: bool = False) -> str:
    """Return a finding for people: details where something is to be done, or if asked for."""
    lines = [f"{finding.severity:<8} {finding.subject}: {finding.finding}"]
    if finding.cure:
        lines.append(f"{'':8} → {finding.cure}")
    if verbose or finding.severity is not Severity.OK:
        lines += [f"{'':10} {detail}" for detail in finding.details]
    return "\n".join(lines)


def _findings(options: argparse.Namespace) -> Iterator[Diagnosis]:
    yield from _guarded("versions", "lisa_ros.cli.versions", lambda module: module.check())
    yield from interfaces.check()
    yield from ros_environment.check(os.environ)
    yield from shared_memory.check()
    yield from imports.model_findings()
    yield from imports.simulation_findings()
    ros = list(imports.ros_findings())
    yield from ros
    configured = ""
    if not any(finding.severity is Severity.BROKEN for finding in ros):
        for finding in running(options.wait):
            configured = configured or _configured_model(finding)
            yield finding
    model = options.model or configured or _DEFAULT_MODEL
    facts = "lisa_ros.cli.checkpoint_facts"
    yield from _guarded("weights", facts, lambda module: module.check(model))
    yield from _guarded("licence", "lisa_ros.cli.info", lambda module: [module.licence(model)])


def running(wait_s: float) -> Iterator[Diagnosis]:
    """Listen to perception nodes in a process, since this one knows no ROS."""
    command = [sys.executable, "-m", "lisa_ros.nodes.doctor", "--wait", str(wait_s)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=wait_s + _OVERHEAD_S,
        )
    except subprocess.TimeoutExpired:
        yield broken(
            "ROS 2",
            "the process that listens hangs",
            "Is another program flooding the network? Try ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST.",
        )
        return
    heard = 0
    for line in done.stdout.splitlines():
        try:
            yield Diagnosis.from_line(line)
            heard += 1
        except (ValueError, TypeError):  # a library that prints
            continue
    if not heard:
        said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        yield broken("ROS 2", f"no node can be made: {said[-1]}", "See the error.", said[-20:])


def _guarded(
    subject: str, module: str, check: Callable[..., Iterator[Diagnosis] | list[Diagnosis]]
) -> Iterator[Diagnosis]:
    """Run a check whose module needs packages that may be what is missing."""
    try:
        yield from check(importlib.import_module(module))
    except ImportError as error:
        yield broken(
            subject,
            f"cannot be looked at: {error}",
            "Install the package's requirements: `make setup` in a clone.",
        )


def _configured_model(finding: Diagnosis) -> str:
    """Return the model that a running node says it has; empty where this is not said here."""
    named = (line for line in finding.details if line.startswith(_MODEL_DETAIL))
    return next(named, _MODEL_DETAIL).removeprefix(_MODEL_DETAIL)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="lisa doctor",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model", default="", help="checkpoint to look at (default: that of the node that runs)"
    )
    parser.add_argument("--wait", type=float, default=8.0, help="longest time to listen, s")
    parser.add_argument("--verbose", "-v", action="store_true", help="details of all that is well")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser.parse_args(arguments)
