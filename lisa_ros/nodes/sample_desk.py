"""The service `save_sample`, and the samples that are saved without being asked for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from lisa_ros.errors import ConfigurationError, LisaError, TransformError
from lisa_ros.nodes.answered_sample import CameraPose
from lisa_ros.nodes.answers import Answer
from lisa_ros.nodes.parameter_rules import target_frame
from lisa_ros.nodes.parameters import PerceptionParameters
from lisa_ros.nodes.sample_saver import SampleSaver, SaverState, SavingRules
from lisa_ros.nodes.transforms import TransformSource
from lisa_ros.srv import SaveSample

# A disk that takes longer is in trouble; the sample is stored all the same, once it can be.
_PATIENCE_S = 30.0
_CLOSE_TIMEOUT_S = 1.0
_NOTHING = "Nothing has been answered yet. Ask for something first."


class SampleDesk:
    """Hands answers to a `SampleSaver`.

    last_answer: the newest answer, None before the first. model: what it is said to come from.
    transforms: know where the camera was, where no parameter says it.
    """

    def __init__(
        self,
        node: Any,
        *,
        parameters: Callable[[], PerceptionParameters],
        last_answer: Callable[[], Answer | None],
        model: Callable[[], str],
        transforms: TransformSource,
    ) -> None:
        self._logger = node.get_logger()
        self._parameters = parameters
        self._last_answer = last_answer
        self._model = model
        self._transforms = transforms
        self._saver = SampleSaver(_session(node.get_name()))
        # It waits for the disk, and nothing may wait for it.
        group = MutuallyExclusiveCallbackGroup()
        node.create_service(SaveSample, "save_sample", self._on_save, callback_group=group)

    @property
    def state(self) -> SaverState:
        """What was stored since the start."""
        return self._saver.state

    def consider(self, answer: Answer) -> None:
        """Save an answer if the parameters want that; returns at once."""
        rules = saving_rules(self._parameters())
        if not rules.automatically:
            return
        pose = self._pose(answer)
        saved = self._saver.consider(answer, rules, model=self._model(), pose=pose)
        if saved is not None:
            saved.add_done_callback(self._log)

    def close(self) -> bool:
        """Store what waits; return False when the disk takes too long."""
        return self._saver.close(_CLOSE_TIMEOUT_S)

    def _on_save(
        self, request: SaveSample.Request, response: SaveSample.Response
    ) -> SaveSample.Response:
        answer = self._last_answer()
        if answer is None:
            response.message = _NOTHING
            return response
        rules = saving_rules(self._parameters())
        pose = self._pose(answer)
        saved = self._saver.save(answer, rules, model=self._model(), pose=pose, note=request.note)
        try:
            stem = saved.result(_PATIENCE_S)
        except futures.TimeoutError:
            response.message = f"Not stored within {_PATIENCE_S:g} s; the disk is slow, it goes on."
        except (LisaError, OSError) as error:
            response.message = str(error)
        else:
            response.success = True
            response.sample = str(Path(stem).parent)
            response.message = f"Stored as {stem}.*; correct it in labelme before training on it."
        return response

    def _pose(self, answer: Answer) -> CameraPose | None:
        """Return where the camera was in target_frame; None where that is not known."""
        if answer.frame is None:
            return None
        camera, stamp_ns = answer.frame.frame_id, answer.frame.stamp_ns
        try:
            wanted = target_frame(self._parameters(), self._transforms)
            if wanted is None:
                return None
            pose = wanted.source.lookup(wanted.frame_id, camera, stamp_ns, 0.0, lambda: False)
        except (TransformError, ConfigurationError):  # a sample is one without a pose, too
            return None
        return CameraPose(wanted.frame_id, pose)

    def _log(self, saved: Future[str]) -> None:
        error = saved.exception()
        if error is None:
            self._logger.info(f"saved automatically: {saved.result()}")
        else:
            self._logger.warning(f"not saved automatically: {error}")


def saving_rules(parameters: PerceptionParameters) -> SavingRules:
    """Return what the parameters say about saving."""
    folder = parameters.samples_dir
    return SavingRules(
        folder=Path(os.path.expanduser(folder)).absolute() if folder else None,
        automatically=parameters.save_automatically,
        sure_from=parameters.save_below,
        interval_s=parameters.save_interval_s,
        most_samples=parameters.max_samples,
    )


def _session(node_name: str) -> str:
    """Return a name that no other run of a node has on this machine."""
    return f"{node_name}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid()}"
