"""A camera of the red box that publishes what a test makes of it, by the clock that it is given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from red_box_camera import FRAME_ID
from std_msgs.msg import Header

Make = Callable[[Header], Any]


class SceneCamera:
    """Publishes a frame at 20 Hz from its own thread: on each topic what its function makes.

    frame: topic → (type, function of the header). header: of the next frame; by default stamped
    with the node's clock. A context manager: it stops at the end.
    """

    def __init__(
        self,
        node: Node,
        frame: Mapping[str, tuple[type, Make]],
        header: Callable[[], Header] | None = None,
    ) -> None:
        self._node = node
        self._header = header or self._stamped_now
        self._frame = [
            (node.create_publisher(kind, topic, qos_profile_sensor_data), make)
            for topic, (kind, make) in frame.items()
        ]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> SceneCamera:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        for publisher, _ in self._frame:
            self._node.destroy_publisher(publisher)

    def _run(self) -> None:
        while not self._ended.wait(0.05):
            header = self._header()
            for publisher, make in self._frame:
                publisher.publish(make(header))

    def _stamped_now(self) -> Header:
        return Header(stamp=self._node.get_clock().now().to_msg(), frame_id=FRAME_ID)
