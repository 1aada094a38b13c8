"""What configuring makes: it answers as the parameters of the moment say, and is freed whole."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("lisa_ros.msg")

from builtin_interfaces.msg import Time
from moody_segmenter import MoodySegmenter
from std_msgs.msg import Header

from lisa_ros.errors import CheckpointNotFoundError, TransformsUnavailableError
from lisa_ros.nodes.answers import Answer, Request, StopSignal
from lisa_ros.nodes.conversions import NO_MODEL, ModelFacts
from lisa_ros.nodes.images import message_from_array
from lisa_ros.nodes.parameters import PerceptionParameters
from lisa_ros.nodes.perceiver import Perceiver
from lisa_ros.nodes.segmenters import SetUp
from lisa_ros.nodes.transforms import OnDemand, TransformSource
from lisa_ros.types import Status

IDS = itertools.count(1)
# Of colour alone, so that one message makes a frame.
PARAMETERS = PerceptionParameters(model="fake", use_depth=False, frame_wait_s=0.0)


def load(parameters: PerceptionParameters, on_step: Callable[[str], None]) -> SetUp:
    if parameters.model != "fake":
        raise CheckpointNotFoundError(f"no checkpoint {parameters.model!r}")
    return lambda now: MoodySegmenter(now.found_threshold)


def no_tf2() -> TransformSource:
    raise TransformsUnavailableError("no tf2 here")


@pytest.fixture
def perceiver() -> Perceiver:
    return Perceiver(
        load,
        resolve=lambda name: f"/lisa/{name}",
        now_ns=time.time_ns,
        transforms=OnDemand(no_tf2),
    )


def ask(perceiver: Perceiver, parameters: PerceptionParameters, session: str = "") -> Answer:
    """Ask for the red box in a red image of this moment."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    header = Header(stamp=Time(sec=seconds, nanosec=nanoseconds), frame_id="camera")
    image = np.zeros((12, 16, 3), dtype=np.uint8)
    image[3:6, 3:6] = (220, 30, 30)
    perceiver.camera.add("image", message_from_array(image, "rgb8", header))
    number = next(IDS)
    request = Request(number, "the red box", StopSignal(), lambda *_: None, lambda _: None, session)
    return perceiver.answer(request, parameters)


def test_loaded_it_answers_and_says_what_model_it_is(perceiver: Perceiver) -> None:
    assert (perceiver.camera, perceiver.facts) == (None, NO_MODEL)
    perceiver.load(PARAMETERS)
    assert perceiver.facts == ModelFacts("fake", demo_model=True)
    answer = ask(perceiver, PARAMETERS)
    assert answer.status == Status.NO_DEPTH, answer.reason
    assert answer.targets[0].mask.sum() == 9


def test_the_parameters_of_the_moment_count(perceiver: Perceiver) -> None:
    perceiver.load(PARAMETERS)
    stricter = dataclasses.replace(PARAMETERS, found_threshold=1.0)
    assert ask(perceiver, stricter).status == Status.NOT_FOUND
    assert ask(perceiver, PARAMETERS).status == Status.NO_DEPTH


def test_forgetting_ends_conversations(perceiver: Perceiver) -> None:
    perceiver.forget()  # nothing is known yet
    perceiver.load(PARAMETERS)
    assert "earlier turns" not in ask(perceiver, PARAMETERS, "table").reason
    assert "earlier turns" in ask(perceiver, PARAMETERS, "table").reason
    perceiver.forget()
    assert "earlier turns" not in ask(perceiver, PARAMETERS, "table").reason


def test_freed_or_never_loaded_it_holds_nothing(perceiver: Perceiver) -> None:
    with pytest.raises(CheckpointNotFoundError):
        perceiver.load(dataclasses.replace(PARAMETERS, model="broken"))
    assert (perceiver.camera, perceiver.facts) == (None, NO_MODEL)
    perceiver.load(PARAMETERS)
    perceiver.free()
    assert (perceiver.camera, perceiver.facts) == (None, NO_MODEL)


def test_tf2_is_opened_before_loading_and_only_where_it_is_needed(perceiver: Perceiver) -> None:
    moving = dataclasses.replace(PARAMETERS, target_frame="base")
    with pytest.raises(TransformsUnavailableError, match="no tf2 here"):
        perceiver.load(moving)
    assert perceiver.camera is None
    perceiver.load(dataclasses.replace(moving, camera_to_target=(0.0,) * 6 + (1.0,)))
