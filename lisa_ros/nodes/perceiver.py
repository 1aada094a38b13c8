"""What configuring makes and cleaning up frees: model, camera, and who answers with both."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from lisa_ros.nodes.answering import Answerer, AnswerSettings
from lisa_ros.nodes.answers import Answer, Request
from lisa_ros.nodes.camera_topics import CameraTopic, camera_topics, make_camera
from lisa_ros.nodes.conversions import NO_MODEL, ModelFacts
from lisa_ros.nodes.depth_alignment import FindTransform
from lisa_ros.nodes.followed_targets import TargetFollower
from lisa_ros.nodes.frames import Camera
from lisa_ros.nodes.loaded_model import LoadedModel
from lisa_ros.nodes.parameter_rules import camera_pose, target_frame
from lisa_ros.nodes.parameters import PerceptionParameters
from lisa_ros.nodes.segmenters import LoadModel
from lisa_ros.nodes.transforms import OnDemand
from lisa_ros.tracking.trackers import tracker_named

if TYPE_CHECKING:
    from lisa_ros.inference.segmenter import Mode


class Perceiver:
    """A model that looks through a camera. Its methods belong to the model's thread.

    load: how the model is got. resolve: name of a topic as the graph knows it. now_ns: the node's
    clock. transforms: say where the camera is in target_frame. find_transform: says where the depth
    camera sits if no parameter does. camera: None while there is no model. facts: what answers say
    about the model.
    """

    def __init__(
        self,
        load: LoadModel,
        *,
        resolve: Callable[[str], str],
        now_ns: Callable[[], int],
        transforms: OnDemand,
        find_transform: FindTransform | None = None,
    ) -> None:
        self._model = LoadedModel(load)
        self._resolve = resolve
        self._now_ns = now_ns
        self._transforms = transforms
        self._find_transform = find_transform
        self._answerer: Answerer | None = None
        self._follower: TargetFollower | None = None
        self.camera: Camera | None = None
        self.facts = NO_MODEL

    def loading_progress(self) -> str:
        """Return the step of loading and since when, empty while nothing is loaded; any thread."""
        return self._model.progress()

    @property
    def is_following(self) -> bool:
        """Whether there are targets that are followed; any thread."""
        follower = self._follower  # read once: freeing takes it away on its thread
        return follower is not None and follower.is_following

    def topics(self, parameters: PerceptionParameters) -> dict[str, CameraTopic]:
        """Return the topics of the camera by stream; any thread."""
        return camera_topics(
            self._resolve,
            use_depth=parameters.use_depth,
            image_transport=parameters.image_transport,
        )

    def load(self, parameters: PerceptionParameters) -> None:
        """Load the model and make the camera; raises as what it calls."""
        if parameters.target_frame and camera_pose(parameters) is None:
            self._transforms.open()  # to hear what is published before the first answer
        segmenter = self._model.load(parameters)
        tracker = tracker_named(
            parameters.tracker,
            segmenter,
            sam2_model=parameters.sam2_model,
            device=parameters.device,
        )
        self.camera = make_camera(
            parameters,
            self.topics(parameters),
            now_ns=self._now_ns,
            find_transform=self._find_transform,
        )
        self.facts = ModelFacts(parameters.model, segmenter.capabilities.demo_model)
        self._answerer = Answerer(segmenter, self.camera)
        self._follower = TargetFollower(self._answerer, self.camera, tracker)

    def free(self) -> None:
        """Give everything back."""
        self._answerer = self._follower = self.camera = None
        self.facts = NO_MODEL
        self._model.free()

    def answer(self, request: Request, parameters: PerceptionParameters) -> Answer:
        """Answer one request as the parameters say at this moment."""
        assert self._answerer is not None
        assert self._follower is not None
        self._answerer.use(self._model.segmenter(parameters))
        answer = self._answerer.answer(request, self._settings(parameters))
        self._follower.take(answer)
        return answer

    def follow(
        self, parameters: PerceptionParameters, preempted: Callable[[], bool]
    ) -> Answer | None:
        """Look for what was found; as `TargetFollower.step`."""
        if self._answerer is None or self._follower is None:
            return None
        self._answerer.use(self._model.segmenter(parameters))
        return self._follower.step(self._settings(parameters), parameters.ask_again_s, preempted)

    def stop_following(self) -> None:
        """Follow nothing until asked to again."""
        if self._follower is not None:
            self._follower.pause()

    def forget(self) -> None:
        """Forget what was said, and what was found."""
        if self._answerer is not None:
            self._answerer.forget_sessions()
        if self._follower is not None:
            self._follower.forget()

    def _settings(self, parameters: PerceptionParameters) -> AnswerSettings:
        return AnswerSettings(
            mode=cast("Mode", parameters.mode),  # one of its choices, or rclpy has refused it
            max_targets=parameters.max_targets,
            max_frame_age_s=parameters.max_frame_age_s,
            frame_wait_s=parameters.frame_wait_s,
            target_frame=target_frame(parameters, self._transforms),
            look_again=parameters.look_again,
        )
