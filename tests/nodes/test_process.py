"""How a node's process ends."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest
from node_process import StartNode

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from robot_client import wait_until

LEISURELY_NODE = str(Path(__file__).with_name("leisurely_node.py"))
pytestmark = pytest.mark.ros


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_second_signal_does_not_interrupt_the_way_out(
    start_node: StartNode, second: signal.Signals
) -> None:
    process = start_node(f"leisurely_{second.name}", LEISURELY_NODE)
    wait_until(lambda: "spinning" in process.log, "the node")
    process.send(signal.SIGINT)
    wait_until(lambda: "closing" in process.log, "its end")
    time.sleep(0.3)
    assert process.end(second) == 0, process.log
    # By words: a signal may come between a print's text and its line's end.
    assert re.findall("closing|closed|destroyed", process.log) == ["closing", "closed", "destroyed"]
    assert "Traceback" not in process.log


def test_signal_that_a_library_takes_for_a_failure_ends_the_node_with_zero(
    start_node: StartNode,
) -> None:
    process = start_node("stumbling", LEISURELY_NODE, "stumbles")
    wait_until(lambda: "starting" in process.log, "its start")
    assert process.end() == 0, process.log
    assert "cannot start" not in process.log
