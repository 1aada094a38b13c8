"""What is compressed comes back through the reader of compressed images."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sensor_msgs")

from std_msgs.msg import Header

from lisa_ros.nodes.compressed_images import color_from_compressed, depth_from_compressed
from lisa_ros.nodes.image_compression import depth_png_message, jpeg_message


def test_depth_comes_back_to_the_millimetre() -> None:
    depth_mm = np.random.default_rng(0).integers(0, 2**16, (37, 53)).astype(np.uint16)
    message = depth_png_message(depth_mm, Header(frame_id="optical"))
    np.testing.assert_array_equal(depth_from_compressed(message), depth_mm)
    assert message.header.frame_id == "optical"


def test_colours_come_back_nearly_and_in_their_order() -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :32] = (220, 30, 30)
    image[:, 32:] = (30, 60, 200)
    message = jpeg_message(image, Header())
    back = color_from_compressed(message).astype(int)
    assert np.abs(back - image)[:, 4:28].max() < 8
    assert np.abs(back - image)[:, 36:60].max() < 8
    assert len(message.data) < image.size / 4
