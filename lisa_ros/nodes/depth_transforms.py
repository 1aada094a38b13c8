"""Where the depth camera sits beside the colour camera, by tf2."""

from __future__ import annotations

from collections.abc import Callable

from lisa_ros.errors import TransformError, TransformsUnavailableError
from lisa_ros.nodes.transforms import TransformSource
from lisa_ros.types import Float64Array

# A driver's static transforms are latched and arrive soon after the listener is there; a frame
# that finds none is followed by the next one.
_FIRST_WAIT_S = 0.5
_WAIT_S = 0.05


class DepthTransforms:
    """Looks transforms up in a source that is opened with the first question. Use from one thread.

    open_source: may raise TransformsUnavailableError. Cameras that register their depth never need
    it, so they need neither tf2 nor its traffic.
    """

    def __init__(self, open_source: Callable[[], TransformSource]) -> None:
        self._open_source = open_source
        self._source: TransformSource | None = None

    def find(self, target_frame: str, source_frame: str, stamp_ns: int) -> Float64Array:
        """Return T_target_source f64[4,4] at a stamp; raises TransformError where there is none."""
        wait_s = _WAIT_S
        if self._source is None:
            try:
                self._source = self._open_source()
            except TransformsUnavailableError as error:
                raise TransformError(
                    "tf2_ros is not installed: sudo apt install ros-$ROS_DISTRO-tf2-ros-py"
                ) from error
            wait_s = _FIRST_WAIT_S
        return self._source.lookup(target_frame, source_frame, stamp_ns, wait_s, lambda: False)
