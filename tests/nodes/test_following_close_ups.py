"""What a close-up showed is looked for in close-ups of later frames. No ROS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("lisa_ros.msg")

from answering_parts import RED, SETTINGS, Frames, make_frame
from fakes import FakeSegmenter

from lisa_ros.nodes.answering import Answerer
from lisa_ros.nodes.answers import Request, StopSignal
from lisa_ros.nodes.followed_targets import TargetFollower
from lisa_ros.tracking.trackers import tracker_named
from lisa_ros.types import RgbdFrame, Status


class Looking(FakeSegmenter):
    """Keeps the sizes of the pictures that it decodes."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, ...]] = []

    def decode(self, image: Any, seg_embeddings: Any) -> Any:
        if isinstance(image, np.ndarray):
            self.sizes.append(image.shape[:2])
        return super().decode(image, seg_embeddings)


def later(frame: RgbdFrame) -> RgbdFrame:
    return replace(frame, stamp_ns=frame.stamp_ns + 100_000_000)


@pytest.mark.parametrize(("refine", "size"), [("", (60, 80)), ("the red part", (60, 64))])
def test_a_refined_target_is_followed_in_a_close_up(refine: str, size: tuple[int, int]) -> None:
    frames, segmenter = Frames(make_frame()), Looking()
    answerer = Answerer(segmenter, frames)
    follower = TargetFollower(answerer, frames, tracker_named("redecode", segmenter))
    request = Request(
        1, "the red box", StopSignal(), lambda *_: None, lambda _: None, refine=refine
    )
    follower.take(answerer.answer(request, SETTINGS))
    frames.frame = later(make_frame())
    answer = follower.step(SETTINGS, 2.0, lambda: False)
    assert answer is not None
    assert answer.status is Status.FOUND
    assert (frames.frame.image[answer.targets[0].mask] == RED).all()
    assert segmenter.sizes == [size]
