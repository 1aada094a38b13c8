"""The sentence that goes with each status: what happened, for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lisa_ros.errors import InstructionError, LisaError, TransformError
from lisa_ros.nodes.answers import FoundTarget
from lisa_ros.types import NoDepth, Segmentation, Status, Target3D

if TYPE_CHECKING:
    from lisa_ros.inference.segmenter import Capabilities, Mode

UNMEASURED_PART = (
    "Uncalibrated: the model was asked about a part of the image, and how often it is wrong about "
    "such has not been measured."
)
# Status, sentence, wire code of the error.
Ending = tuple[Status, str, int]


def found_or_no_depth(targets: tuple[FoundTarget, ...]) -> tuple[Status, str]:
    """Return how an answer with at least one mask ends."""
    n_located = sum(isinstance(target.lifted, Target3D) for target in targets)
    if n_located:
        return Status.FOUND, f"{n_located} of {len(targets)} targets located."
    reasons = {target.lifted.reason for target in targets if isinstance(target.lifted, NoDepth)}
    return Status.NO_DEPTH, sentence(
        f"Segmented, but without a position: {'; '.join(sorted(reasons))}"
    )


def not_found(segmentation: Segmentation) -> str:
    """Say why there is no mask."""
    if segmentation.found:
        return "The model accepted the request, but marked no pixel of the image."
    return (
        f"The model holds it for absent: it answered {segmentation.text!r}, and the probability "
        f"of an accepting answer is {segmentation.seg_probability:.2f}."
    )


def no_such_part(part: Segmentation) -> str:
    """Say that what was asked for was found, but not the part of it."""
    return f"What was asked for was found, but not the part of it. {not_found(part)}"


def doubt(
    segmentation: Segmentation, mode: Mode, n_turns: int, capabilities: Capabilities
) -> str | None:
    """Return what to say of a yes or no whose errors nobody has counted; None if they were.

    n_turns: earlier turns that the question was asked with.
    """
    if segmentation.calibrated:
        return None
    if mode == "generated":
        return (
            "Uncalibrated: in generated mode the model's own words decide, and how often they are "
            "wrong has not been measured."
        )
    if segmentation.decoded_in is not None:
        return UNMEASURED_PART
    if capabilities.found_threshold is None:
        return (
            "Uncalibrated: this checkpoint has no threshold, so that a prompted answer never says "
            "that something is absent."
        )
    if n_turns:
        return (
            "Uncalibrated: found_threshold was validated on questions without earlier turns only."
        )
    return "Uncalibrated: found_threshold has not been validated for questions like this."


def failed(error: Exception) -> Ending:
    """Return how an answer ends that an error has ended."""
    if isinstance(error, InstructionError):
        return Status.REJECTED, sentence(str(error)), error.code
    if isinstance(error, TransformError):
        said = f"The targets could not be brought into the frame that is asked for: {error}"
        return Status.TRANSFORM_FAILED, sentence(said), error.code
    if isinstance(error, LisaError):
        return Status.ERROR, sentence(f"The question could not be answered: {error}"), error.code
    return (
        Status.ERROR,
        sentence(f"Unexpected {type(error).__name__}: {error}"),
        LisaError.code,
    )


def sentence(text: str) -> str:
    """Return the text with a full stop, unless it ends a sentence already."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
