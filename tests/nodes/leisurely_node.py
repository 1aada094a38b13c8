"""A node that takes its time to end and says how far it got, run as a process by the tests."""

from __future__ import annotations

import time

from rclpy.node import Node

from lisa_ros.nodes.process import run_node


class LeisurelyNode(Node):
    def __init__(self) -> None:
        super().__init__("leisurely")
        self.create_timer(0.01, lambda: print("spinning", flush=True))

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
