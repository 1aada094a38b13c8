"""An answer of the robot → one sample of the lab dataset format, for a person to correct. No ROS.

The annotation says what the robot saw, was asked and answered, the mask as polygons; its flag
`reviewed` is unticked, because what the model thinks is not yet the truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.geometry import CameraInfo
from lisa_ros.inference.instruction import clean_instruction
from lisa_ros.nodes.answers import ABOUT_THE_IMAGE, Answer
from lisa_ros.recordings.annotation import REVIEWED_FLAG, Annotation
from lisa_ros.recordings.camera_yaml import camera_info_of
from lisa_ros.recordings.masked_queries import MaskedQuery, annotate
from lisa_ros.recordings.query_checks import RESERVED
from lisa_ros.recordings.sample import LabSample
from lisa_ros.recordings.sample_meta import SampleMeta
from lisa_ros.types import BoolArray, Float64Array, RgbdFrame

_UNNAMED = "unnamed.jpg"  # the collection that stores it gives it its name
_LONGEST_NOTE = 4000


@dataclass(frozen=True)
class CameraPose:
    """Where the camera was: f64[4,4], from its optical frame to the frame `world_frame`."""

    world_frame: str
    T_world_camera: Float64Array


def answered_sample(
    answer: Answer, *, model: str, occasion: str, note: str = "", pose: CameraPose | None = None
) -> LabSample:
    """Return the sample of an answer about an image; with no target it says `no_target`.

    model: which checkpoint answered. occasion: why it is stored. note: a person's remark.

    Raises:
        DatasetError: the answer is not about an image, or its instruction cannot be in a dataset.
        InstructionError: the instruction holds nothing to look for, or is not text.

    """
    if len(note) > _LONGEST_NOTE:
        raise DatasetError(f"The note has {len(note)} characters; at most {_LONGEST_NOTE} fit.")
    frame = answer.frame
    if answer.status not in ABOUT_THE_IMAGE or frame is None:
        raise DatasetError(
            f"The last answer is {answer.status.name}, which says nothing about an image. Ask for "
            "something first; FOUND, NOT_FOUND and NO_DEPTH can be stored."
        )
    mask = _marked(answer, frame)
    return LabSample(
        image=frame.image,
        annotation=_annotation(answer, mask, _facts(answer, model, occasion, note)),
        depth_m=None if frame.intrinsics is None else frame.depth_m,
        camera_info=_calibration(frame),
        meta=SampleMeta(
            stamp_color_ns=frame.stamp_ns,
            frame_id=frame.frame_id or None,
            T_world_camera=None if pose is None else pose.T_world_camera,
            world_frame=None if pose is None else pose.world_frame,
        ),
    )


def _annotation(answer: Answer, mask: BoolArray, facts: dict[str, Any]) -> Annotation:
    text = clean_instruction(answer.refine or answer.instruction)
    for token in RESERVED:
        if token in text:
            raise DatasetError(
                f"The instruction holds {token}, which means something to the tokenizer: no "
                "dataset may have it in a text. Ask in other words."
            )
    # A sentence, because the node puts whatever it is told to the model as one.
    question = MaskedQuery((text,), True, mask)
    annotation = annotate(_UNNAMED, mask.shape, [question])  # type: ignore[arg-type]
    flags = {REVIEWED_FLAG: False}
    return replace(annotation, other={**annotation.other, "flags": flags, "answer": facts})


def _marked(answer: Answer, frame: RgbdFrame) -> BoolArray:
    """Return the pixels bool[H,W] of all targets; none for an answer that found nothing."""
    mask: BoolArray = np.zeros(frame.image.shape[:2], bool)
    for target in answer.targets:
        mask |= target.mask
    return mask


def _facts(answer: Answer, model: str, occasion: str, note: str) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "status": answer.status.name,
        "reason": answer.reason,
        "instruction": answer.instruction,
        "session": answer.session,
        "refine": answer.refine,
        "followed": answer.followed,
        "instruction_id": answer.instruction_id,
        "model": model,
        "occasion": occasion,
        "note": note.encode("utf-8", "replace").decode(),
    }
    segmentation = answer.segmentation
    if segmentation is not None:
        facts |= {
            "response": segmentation.text,
            "prompt": segmentation.prompt_text,
            "seg_probability": _number(segmentation.seg_probability),
            "confidence": _number(segmentation.confidence),
            "calibrated": bool(segmentation.calibrated),
        }
    return facts


def _number(value: float | None) -> float | None:
    """Return a number that JSON has; None for what is none."""
    return None if value is None or not math.isfinite(value) else float(value)


def _calibration(frame: RgbdFrame) -> CameraInfo | None:
    """Return the calibration of the image as it is; None where nobody knows it."""
    if frame.intrinsics is None:
        return None
    info = camera_info_of(frame.intrinsics)
    lens = frame.lens
    return info if lens is None else replace(info, distortion_model=lens.distortion_model, d=lens.d)
