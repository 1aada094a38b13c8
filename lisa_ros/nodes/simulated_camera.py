"""The node `simulated_camera`: an RGB-D camera that looks at a procedural room.

Publishes `image` (rgb8), `depth` (registered, 16UC1 mm or 32FC1 m) and `camera_info`, all with one
stamp. The room follows from its seed, so a client can make it again and know the truth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from lisa_ros.errors import SimulationError
from lisa_ros.nodes.image_compression import depth_png_message, jpeg_message
from lisa_ros.nodes.images import message_from_array
from lisa_ros.nodes.process import run_node
from lisa_ros.simulation.noise import sense_depth, sense_image
from lisa_ros.simulation.room import Room, generate_room
from lisa_ros.types import Float32Array, Intrinsics

DEPTH_ENCODINGS = ("16UC1", "32FC1")
TRANSPORTS = ("raw", "compressed")


class SimulatedCamera(Node):
    """The node; see the module."""

    def __init__(self) -> None:
        super().__init__("simulated_camera", namespace="lisa")
        self._declare_parameters()
        self._frame_id = str(self.get_parameter("frame_id").value)
        self._depth_encoding = str(self.get_parameter("depth_encoding").value)
        self._noise = bool(self.get_parameter("noise").value)
        seed = int(self.get_parameter("seed").value)
        self._room = self._generate(seed, str(self.get_parameter("preset").value))
        self._rng = np.random.default_rng(seed)
        self._compressed = self._is_compressed()
        self._image = self._publisher("image", "compressed")
        self._info = self.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data)
        self._depth = None
        if not self.get_parameter("without_depth").value:
            self._depth = self._publisher("depth", "compressedDepth")
        self.create_timer(1.0 / float(self.get_parameter("rate_hz").value), self._publish)
        height, width = self._room.image.shape[:2]
        self.get_logger().info(f"room {seed}: {width}x{height}, {len(self._room.objects)} objects")

    def close(self) -> bool:
        """Nothing to stop."""
        return True

    def _declare_parameters(self) -> None:
        def declare(name: str, default: object, description: str, **constraints: object) -> None:
            descriptor = ParameterDescriptor(description=description, read_only=True, **constraints)
            self.declare_parameter(name, default, descriptor)

        seeds = IntegerRange(from_value=0, to_value=2**31 - 1, step=0)
        rates = FloatingPointRange(from_value=0.1, to_value=60.0, step=0.0)
        declare("seed", 0, "The room to look at.", integer_range=[seeds])
        declare("preset", "tabletop", "The kind of room.")
        declare("rate_hz", 10.0, "Frames a second. [Hz]", floating_point_range=[rates])
        declare("noise", False, "Whether depth and image have a sensor's noise and holes.")
        declare(
            "depth_encoding",
            "16UC1",
            "16UC1 (millimetres) or 32FC1 (metres).",
            additional_constraints=f"One of {', '.join(DEPTH_ENCODINGS)}.",
        )
        declare(
            "image_transport",
            "raw",
            "raw, or compressed: image/compressed (JPEG) and depth/compressedDepth (PNG).",
            additional_constraints=f"One of {', '.join(TRANSPORTS)}.",
        )
        declare("frame_id", "camera_color_optical_frame", "The camera's optical frame.")
        declare("without_depth", False, "Leave depth out, as a camera for colour only.")

    def _is_compressed(self) -> bool:
        transport = self.get_parameter("image_transport").value
        if transport not in TRANSPORTS:
            raise SimulationError(f"image_transport is {transport!r}; expected one of {TRANSPORTS}")
        if transport == "compressed" and self._depth_encoding != "16UC1":
            raise SimulationError(
                f"image_transport is compressed and depth_encoding {self._depth_encoding!r}; this "
                "camera compresses 16UC1 only"
            )
        return bool(transport == "compressed")

    def _publisher(self, stream: str, transport: str) -> Publisher:
        if self._compressed:
            # As image_transport does it: below the name that the stream was remapped to.
            topic = f"{self.resolve_topic_name(stream)}/{transport}"
            return self.create_publisher(CompressedImage, topic, qos_profile_sensor_data)
        return self.create_publisher(Image, stream, qos_profile_sensor_data)

    def _generate(self, seed: int, preset: str) -> Room:
        if self._depth_encoding not in DEPTH_ENCODINGS:
            raise SimulationError(
                f"depth_encoding is {self._depth_encoding!r}; expected one of {DEPTH_ENCODINGS}"
            )
        return generate_room(seed, preset)

    def _publish(self) -> None:
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id)
        image, depth_m = self._room.image, self._room.depth_m
        if self._noise:
            image = sense_image(image, self._rng)
            depth_m = sense_depth(depth_m, self._room.intrinsics, self._rng)
        self._image.publish(
            jpeg_message(image, header)
            if self._compressed
            else message_from_array(image, "rgb8", header)
        )
        self._info.publish(camera_info_message(self._room.intrinsics, header))
        if self._depth is not None:
            self._depth.publish(self._depth_message(depth_m, header))

    def _depth_message(self, depth_m: Float32Array, header: Header) -> Image | CompressedImage:
        if self._compressed:
            return depth_png_message(millimetres(depth_m), header)
        values = depth_m if self._depth_encoding == "32FC1" else millimetres(depth_m)
        return message_from_array(values, self._depth_encoding, header)


def millimetres(depth_m: Float32Array) -> npt.NDArray[np.uint16]:
    """Return depth f32[H,W] m as u16[H,W] mm, 0 where nothing was measured or u16 ends."""
    rounded = np.round(np.nan_to_num(depth_m.astype(np.float64), nan=0.0, posinf=0.0) * 1000.0)
    rounded[(rounded < 0) | (rounded > np.iinfo(np.uint16).max)] = 0
    return rounded.astype(np.uint16)


def camera_info_message(intrinsics: Intrinsics, header: Header) -> CameraInfo:
    """Return the camera_info of an ideal pinhole camera."""
    fx, fy, cx, cy = intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy
    return CameraInfo(
        header=header,
        width=intrinsics.width,
        height=intrinsics.height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; return the exit code."""
    return run_node(SimulatedCamera, num_threads=2, args=args)


if __name__ == "__main__":
    raise SystemExit(main())
