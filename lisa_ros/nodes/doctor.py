"""The half of `lisa doctor` that needs ROS: what perception nodes say, and how they are wired.

Listens to /diagnostics and looks at the graph for a while, then prints one JSON object a line (see
`lisa_ros.diagnosis`). The exit code is 1 if something is broken.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy._rclpy_pybind11 import RCLError
from rclpy.node import Node
from rclpy.node import NodeNameNonExistentError as NodeGoneError

from lisa_ros.diagnosis import Diagnosis, Severity, broken, ok, warning
from lisa_ros.nodes.graph_check import lacks_publishers, node_path, nodes_called, wiring

_NODE_NAME = "perception"
# Diagnostics come once a second; what is there is discovered in one burst, of a second or so.
_QUIET_S = 2.0
_SEVERITIES = {
    DiagnosticStatus.OK: Severity.OK,
    DiagnosticStatus.WARN: Severity.WARNING,
    DiagnosticStatus.ERROR: Severity.BROKEN,
    DiagnosticStatus.STALE: Severity.BROKEN,
}


class DoctorClient(Node):
    """Collects what perception nodes say; use it from one thread."""

    def __init__(self) -> None:
        super().__init__(
            f"lisa_doctor_{os.getpid()}", start_parameter_services=False, enable_rosout=False
        )
        self.statuses: dict[str, DiagnosticStatus] = {}
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def listen(self, wait_s: float) -> None:
        """Spin until nothing is missed and nothing new comes any more, or until the time is up.

        That something is not there is believed at the end of the wait only: on a busy machine or a
        lossy network, discovery can take many seconds.
        """
        seen: object = None
        start_s = changed_s = time.monotonic()
        while (now_s := time.monotonic()) < start_s + wait_s:
            if seen != (sees := self._sees()):
                seen, changed_s = sees, now_s
            elif now_s >= changed_s + _QUIET_S and not self._misses_something():
                return
            rclpy.spin_once(self, timeout_sec=0.1)

    def findings(self) -> Iterator[Diagnosis]:
        """Yield all that there is to say about every perception node."""
        found = nodes_called(self, _NODE_NAME)
        if not found:
            others = sorted({node_path(ns, name) for name, ns in self._others()})
            seen = f"the nodes seen are {', '.join(others[:10])}" if others else "no node is seen"
            yield warning(
                "perception node",
                f"none is running that this shell can see; {seen}",
                "Start it (`ros2 launch lisa_ros perception.launch.py`, or `lisa-perception`). If "
                "it runs, compare ROS_DOMAIN_ID and ROS_AUTOMATIC_DISCOVERY_RANGE of both shells.",
            )
        for name, namespace in sorted(set(found)):
            path = node_path(namespace, name)
            if found.count((name, namespace)) > 1:
                yield warning(
                    path,
                    f"{found.count((name, namespace))} nodes have this name",
                    "End all but one, or give them namespaces: both take every instruction.",
                )
            yield from self._spoken(path)
            try:
                yield from wiring(self, name, namespace)
            except NodeGoneError:
                yield warning(path, "it has ended just now", "Look at its log.")

    def _said_by(self, path: str) -> dict[str, DiagnosticStatus]:
        return {
            name.removeprefix(f"{path}: "): status
            for name, status in self.statuses.items()
            if name.startswith(f"{path}: ")
        }

    def _spoken(self, path: str) -> Iterator[Diagnosis]:
        said = self._said_by(path)
        if not said:
            yield broken(
                path,
                "it is there, but nothing came from it on /diagnostics",
                "It hangs, or is just starting: look at its log, or wait longer (--wait).",
            )
        for part, status in said.items():
            yield diagnosis_of(f"{path} {part}", status)

    def _others(self) -> list[tuple[str, str]]:
        own = self.get_name()
        return [each for each in self.get_node_names_and_namespaces() if each[0] != own]

    def _sees(self) -> object:
        """The graph as it is known now, for comparison."""
        nodes = sorted(self.get_node_names_and_namespaces())
        return nodes, sorted(topic for topic, _ in self.get_topic_names_and_types())

    def _misses_something(self) -> bool:
        found = nodes_called(self, _NODE_NAME)
        try:
            return not found or any(
                not self._said_by(node_path(namespace, name))
                or lacks_publishers(self, name, namespace)
                for name, namespace in found
            )
        except NodeGoneError:
            return True  # one has ended just now: look again

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if f"/{_NODE_NAME}: " in status.name:
                self.statuses[status.name] = status


def diagnosis_of(subject: str, status: DiagnosticStatus) -> Diagnosis:
    """Return what a part of a node says about itself; its message has the cure in it."""
    details = tuple(f"{value.key}: {value.value}" for value in status.values if value.value)
    severity = _SEVERITIES.get(status.level, Severity.BROKEN)
    return Diagnosis(severity, subject, status.message, details=details)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings; return the exit code."""
    options = _parse(arguments)
    findings: list[Diagnosis] = []
    try:
        rclpy.init(args=[])
        client = DoctorClient()
    except RCLError as error:
        findings = [
            broken(
                "ROS 2",
                f"a node cannot be made: {error}",
                "Look at RMW_IMPLEMENTATION, ROS_DOMAIN_ID and ROS_LOG_DIR in this shell.",
            )
        ]
    else:
        client.listen(options.wait)
        findings = [ok("ROS 2", "a node can be made"), *client.findings()]
        client.destroy_node()
    finally:
        rclpy.try_shutdown()
    for finding in findings:
        print(finding.to_line(), flush=True)
    return int(any(finding.severity is Severity.BROKEN for finding in findings))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lisa_ros.nodes.doctor", description=__doc__)
    parser.add_argument("--wait", type=float, default=8.0, help="longest time to listen, s")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
