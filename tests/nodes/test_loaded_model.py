"""The model's life: loaded in steps, tested, set up anew when a parameter asks for it, freed."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from collections.abc import Callable

import pytest
from fakes import FakeSegmenter

from lisa_ros.errors import CheckpointNotFoundError, SelfTestError
from lisa_ros.nodes.loaded_model import LoadedModel
from lisa_ros.nodes.parameters import PerceptionParameters
from lisa_ros.nodes.segmenters import SetUp
from lisa_ros.types import Segmentation

PARAMETERS = PerceptionParameters(model="fake")


class Weights:
    """Stands for what takes the memory."""


class Loader:
    """Loads fakes; keeps no more than weak references to what it made."""

    def __init__(self, make: Callable[[], FakeSegmenter] = FakeSegmenter) -> None:
        self.make = make
        self.set_ups: list[PerceptionParameters] = []
        self.progress: list[str] = []
        self.model = LoadedModel(self.load)
        self.weights: weakref.ref[Weights] | None = None

    def load(self, parameters: PerceptionParameters, on_step: Callable[[str], None]) -> SetUp:
        on_step("reading")
        self.progress.append(self.model.progress())
        weights = Weights()
        self.weights = weakref.ref(weights)

        def set_up(now: PerceptionParameters) -> FakeSegmenter:
            self.progress.append(self.model.progress())
            self.set_ups.append(now)
            segmenter = self.make()
            segmenter.weights = weights
            return segmenter

        return set_up


def test_steps_can_be_followed() -> None:
    loader = Loader()
    assert loader.model.progress() == ""
    loader.model.load(PARAMETERS)
    assert loader.progress == ["reading, since 0 s", "asking it a test question, since 0 s"]
    assert loader.model.progress() == ""


def test_one_segmenter_serves_until_its_parameters_change() -> None:
    loader = Loader()
    first = loader.model.load(PARAMETERS)
    for change in ({}, {"max_targets": 3, "mode": "generated", "policy": "queue"}):
        assert loader.model.segmenter(dataclasses.replace(PARAMETERS, **change)) is first
    stricter = dataclasses.replace(PARAMETERS, found_threshold=0.9)
    second = loader.model.segmenter(stricter)
    assert second is not first
    assert loader.model.segmenter(stricter) is second
    assert loader.set_ups == [PARAMETERS, stricter]


@pytest.mark.parametrize(
    "change",
    [
        {"view": "letterbox"},
        {"prompt_template": "{instruction}"},
        {"conversation": "llava_v1"},
        {"found_threshold": 0.1},
    ],
)
def test_what_a_loaded_model_can_be_set_up_with(change: dict[str, object]) -> None:
    loader = Loader()
    first = loader.model.load(PARAMETERS)
    assert loader.model.segmenter(dataclasses.replace(PARAMETERS, **change)) is not first


def test_freeing_leaves_nothing() -> None:
    loader = Loader()
    loader.model.load(PARAMETERS)
    assert loader.model.is_loaded
    loader.model.free()
    assert loader.weights() is None
    assert not loader.model.is_loaded


def test_a_model_that_fails_its_test_is_not_kept() -> None:
    class Dumb(FakeSegmenter):
        def segment(self, *arguments: object, **options: object) -> Segmentation:
            raise RuntimeError("CUDA out of memory")

    loader = Loader(Dumb)
    with pytest.raises(SelfTestError, match="out of memory"):
        loader.model.load(PARAMETERS)
    gc.collect()
    assert loader.weights() is None
    assert (loader.model.is_loaded, loader.model.progress()) == (False, "")


def test_a_checkpoint_that_cannot_be_loaded_leaves_nothing() -> None:
    def load(parameters: PerceptionParameters, on_step: Callable[[str], None]) -> SetUp:
        on_step("reading")
        raise CheckpointNotFoundError("no checkpoint 'broken'")

    model = LoadedModel(load)
    with pytest.raises(CheckpointNotFoundError):
        model.load(PARAMETERS)
    assert (model.is_loaded, model.progress()) == (False, "")
