"""numpy → sensor_msgs/CompressedImage, as the transports compressed and compressedDepth have it.

The way back, and the format, is in compressed_images.py.
"""

from __future__ import annotations

import io
import struct

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from lisa_ros.types import UInt8Array

# Where artefacts are hard to see; image_transport's default, too, is near it (95).
_JPEG_QUALITY = 90
# int32 and two float32 that tell how 32FC1 is quantised; 16UC1 is stored as it is.
_NOT_QUANTISED = struct.pack("<iff", 0, 0.0, 0.0)


def jpeg_message(image: UInt8Array, header: Header) -> CompressedImage:
    """Return u8[H,W,3] RGB as a JPEG file in a message."""
    file = io.BytesIO()
    PillowImage.fromarray(image).save(file, format="JPEG", quality=_JPEG_QUALITY)
    return CompressedImage(header=header, format="rgb8; jpeg compressed bgr8", data=file.getvalue())


def depth_png_message(depth_mm: npt.NDArray[np.uint16], header: Header) -> CompressedImage:
    """Return u16[H,W] millimetres, 0 = no measurement, as a PNG file in a message: lossless."""
    file = io.BytesIO()
    PillowImage.fromarray(depth_mm).save(file, format="PNG", compress_level=1)
    return CompressedImage(
        header=header,
        format="16UC1; compressedDepth png",
        data=_NOT_QUANTISED + file.getvalue(),
    )
