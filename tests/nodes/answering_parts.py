"""A scene of known numbers and a source of frames, for tests of answers without ROS."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lisa_ros.nodes.answering import AnswerSettings
from lisa_ros.nodes.answers import NoFrame, Stage
from lisa_ros.types import Intrinsics, RgbdFrame

RED, BLUE = (220, 30, 30), (30, 30, 220)
INTRINSICS = Intrinsics(fx=100.0, fy=100.0, cx=39.5, cy=29.5, width=80, height=60)
SETTINGS = AnswerSettings(
    mode="prompted", max_targets=8, max_frame_age_s=1.0, frame_wait_s=0.0, target_frame=None
)
# Without those that are only there where asked for.
STAGES = [stage for stage in Stage if stage not in (Stage.LOOKING_AGAIN, Stage.REFINING)]


def make_frame(depth: bool = True) -> RgbdFrame:
    image = np.full((60, 80, 3), 128, dtype=np.uint8)
    image[20:30, 50:60] = RED
    image[20:40, 10:30] = BLUE
    depth_m = np.full((60, 80), 2.0, dtype=np.float32)
    depth_m[20:30, 50:60] = 0.8
    depth_m[20:40, 10:30] = np.nan
    return RgbdFrame(
        image=image,
        depth_m=depth_m if depth else None,
        intrinsics=INTRINSICS if depth else None,
        frame_id="camera",
        stamp_ns=42,
    )


class Frames:
    """Hands out what it was given; raises it if it is an error."""

    def __init__(self, frame: RgbdFrame | NoFrame | Exception) -> None:
        self.frame = frame

    def wait_for_frame(
        self, max_age_s: float, wait_s: float, should_stop: Callable[[], bool]
    ) -> RgbdFrame | NoFrame:
        if isinstance(self.frame, Exception):
            raise self.frame
        return self.frame
