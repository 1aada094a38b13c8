from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lisa_ros.errors import TransformError, TransformsUnavailableError
from lisa_ros.nodes.depth_transforms import DepthTransforms
from lisa_ros.types import Float64Array

POSE = np.diag([1.0, 1.0, 1.0, 1.0])


class Tree:
    """Answers with one pose, and writes down how it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int, float]] = []

    def lookup(
        self,
        target_frame: str,
        camera_frame: str,
        stamp_ns: int,
        wait_s: float,
        should_stop: Callable[[], bool],
    ) -> Float64Array:
        self.asked.append((target_frame, camera_frame, stamp_ns, wait_s))
        return POSE


def test_source_is_opened_once_and_with_the_first_question() -> None:
    tree, opened = Tree(), []
    transforms = DepthTransforms(lambda: opened.append(1) or tree)
    assert not opened
    for stamp_ns in (5, 6):
        assert transforms.find("color", "depth", stamp_ns) is POSE
    assert len(opened) == 1
    assert [each[:3] for each in tree.asked] == [("color", "depth", 5), ("color", "depth", 6)]
    assert tree.asked[0][3] > tree.asked[1][3]


def test_missing_tf2_is_named_and_asked_for_again() -> None:
    def unavailable() -> Tree:
        raise TransformsUnavailableError("no tf2")

    transforms = DepthTransforms(unavailable)
    for _ in range(2):
        with pytest.raises(TransformError, match=r"apt install .*-tf2-ros-py"):
            transforms.find("color", "depth", 5)
