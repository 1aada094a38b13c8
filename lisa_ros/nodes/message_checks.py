"""What is refused at the door: messages whose numbers cannot be, before anything is done with them.

Only numbers and lengths are looked at, never pixels, so that this keeps up with any camera. What
passes is bounded: every later step allocates in proportion to the message's own size.
"""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from lisa_ros.errors import CameraInfoError, DepthError, ImageError, LisaError
from lisa_ros.nodes.frame_decoding import DEPTH, IMAGE
from lisa_ros.nodes.images import check_color, check_depth

# A raw 8K image of four channels is less; no camera's message is more.
MAX_MESSAGE_BYTES = 2**27
# Frame names and encodings end up in every answer and sentence.
_MAX_TEXT = 256
# The longest model, of tilted thin prisms, has 14 coefficients.
_MAX_COEFFICIENTS = 32


def size_bytes(message: Image | CompressedImage | CameraInfo) -> int:
    """Return how much a message holds, but for its fixed part."""
    if isinstance(message, CameraInfo):
        return 8 * len(message.d)
    return len(message.data)


def check_message(stream: str, message: Image | CompressedImage | CameraInfo) -> None:
    """Compare the numbers of a message of `stream` with each other.

    Raises ImageError, DepthError or CameraInfoError for what no frame can be made of.
    """
    error_type = {IMAGE: ImageError, DEPTH: DepthError}.get(stream, CameraInfoError)
    size = size_bytes(message)
    if size > MAX_MESSAGE_BYTES:
        raise error_type(
            f"{stream} is a message of {size} bytes; expected at most {MAX_MESSAGE_BYTES}"
        )
    _check_text(error_type, stream, "frame_id", message.header.frame_id)
    if isinstance(message, CameraInfo):
        _check_text(error_type, stream, "distortion_model", message.distortion_model)
        if len(message.d) > _MAX_COEFFICIENTS:
            raise error_type(
                f"{stream} has {len(message.d)} distortion coefficients; expected at most "
                f"{_MAX_COEFFICIENTS}: the message is damaged"
            )
    elif isinstance(message, CompressedImage):
        _check_text(error_type, stream, "format", message.format)
        if not len(message.data):
            raise error_type(f"{stream} is a compressed image without data; expected a file")
    else:
        _check_text(error_type, stream, "encoding", message.encoding)
        (check_depth if stream == DEPTH else check_color)(message)


def _check_text(error_type: type[LisaError], stream: str, field: str, text: str) -> None:
    if len(text) > _MAX_TEXT:
        raise error_type(
            f"{stream} has a {field} of {len(text)} characters; expected at most {_MAX_TEXT}: the "
            "message is damaged"
        )
