"""The model of a node: loaded and tested in steps, set up as the parameters say, freed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lisa_ros.nodes.parameters import PerceptionParameters
from lisa_ros.nodes.segmenters import LoadModel, SetUp, is_same_set_up, release_device_memory
from lisa_ros.nodes.self_test import self_test

if TYPE_CHECKING:
    from lisa_ros.inference.segmenter import Segmenter


class LoadedModel:
    """The weights and the segmenter made of them.

    `load`, `segmenter` and `free` belong to one thread; `progress` may be asked by any.
    """

    def __init__(self, load: LoadModel) -> None:
        self._load = load
        self._set_up: SetUp | None = None
        self._in_use: tuple[PerceptionParameters, Segmenter] | None = None
        self._step: tuple[str, float] | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether there is a model to ask."""
        return self._set_up is not None

    def progress(self) -> str:
        """Return what is being done and since when, empty while nothing is loaded."""
        step = self._step  # read once: loading changes it on its thread
        return "" if step is None else f"{step[0]}, since {time.monotonic() - step[1]:.0f} s"

    def load(self, parameters: PerceptionParameters) -> Segmenter:
        """Load the weights, set them up, and put a test question to them.

        Raises CheckpointError and its kinds, DeviceError, ConfigurationError and SelfTestError;
        nothing is kept then.
        """
        try:
            self._set_up = self._load(parameters, self._begin)
            self._begin("asking it a test question")
            segmenter = self.segmenter(parameters)
            self_test(segmenter)
        except BaseException:
            self._set_up = self._in_use = None
            raise
        finally:
            self._step = None
        return segmenter

    def segmenter(self, parameters: PerceptionParameters) -> Segmenter:
        """Return the segmenter for these parameters: the last one, unless they ask for another.

        Raises ConfigurationError or TokenizerError for parameters that the model cannot work with.
        """
        assert self._set_up is not None
        if self._in_use is None or not is_same_set_up(self._in_use[0], parameters):
            self._in_use = (parameters, self._set_up(parameters))
        return self._in_use[1]

    def free(self) -> None:
        """Give back the model's memory, that of the device included."""
        self._set_up = self._in_use = None
        release_device_memory()

    def _begin(self, step: str) -> None:
        self._step = (step, time.monotonic())
