"""A node that takes its time to end and says how far it got, run as a process by the tests."""

from __future__ import annotations

import sys
import time

from rclpy.node import Node

from lisa_ros.errors import LisaError
from lisa_ros.nodes.process import run_node


class LeisurelyNode(Node):
    def __init__(self) -> None:
        super().__init__("leisurely")
        if "stumbles" in sys.argv:
            self._stumble()
        self.create_timer(0.01, lambda: print("spinning", flush=True))

    def _stumble(self) -> None:
        """Wait for a signal and take it for something else, as libraries of C++ do."""
        print("starting", flush=True)
        try:
            time.sleep(60.0)
        except KeyboardInterrupt:
            raise LisaError("initialization failed") from None

    def close(self) -> bool:
        print("closing", flush=True)
        time.sleep(1.0)
        print("closed", flush=True)
        return True

    def destroy_node(self) -> None:
        super().destroy_node()
        print("destroyed", flush=True)


if __name__ == "__main__":
    raise SystemExit(run_node(LeisurelyNode, num_threads=2))
