"""The frozen values that cross module boundaries. numpy only.

Conventions: images are RGB; masks and depth have the size of the colour image; positions are in
metres in the camera optical frame (REP 103: x right, y down, z forward) unless a frame is named;
stamps are integer nanoseconds.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]


class Status(enum.IntEnum):
    """How a request ended. The values are those of `lisa_ros/msg/Perception`.

    There is no 0: a message that nobody filled in must not read as a success.
    """

    FOUND = 1
    NOT_FOUND = 2
    NO_DEPTH = 3
    STALE_INPUT = 4
    TRANSFORM_FAILED = 5
    CANCELED = 6
    TIMEOUT = 7
    REJECTED = 8
    ERROR = 9


class PixelBox(NamedTuple):
    """A rectangle of whole pixels: columns left to right, rows top to bottom, ends excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera for rectified pixels; pixel centres are at integers.

    u = fx·x/z + cx, v = fy·y/z + cy, in px.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int


@dataclass(frozen=True)
class Lens:
    """The distortion of an unrectified image, as camera_info says: d in the order of its model."""

    distortion_model: str
    d: tuple[float, ...]


@dataclass(frozen=True)
class RgbdFrame:
    """One synchronised look of an RGB-D camera.

    image: u8[H,W,3] RGB. depth_m: f32[H,W] z-depth registered to colour, NaN where nothing was
    measured; None when the camera has no depth. frame_id: the optical frame. stamp_ns: when the
    image was taken. rays: f64[H,W,2] = (x/z, y/z) of every pixel of an unrectified image, and
    lens: what they follow from; None for a pinhole.
    """

    image: UInt8Array
    depth_m: Float32Array | None
    intrinsics: Intrinsics | None
    frame_id: str
    stamp_ns: int
    rays: Float64Array | None = None
    lens: Lens | None = None


@dataclass(frozen=True)
class Turn:
    """One finished exchange of a conversation: what was asked (as wrapped) and the answer."""

    instruction: str
    response: str


@dataclass(frozen=True)
class Segmentation:
    """The answer of a `Segmenter` to one instruction on one image.

    text: the answer as text, special tokens included. prompt_text: the instruction as it was put to
    the model. masks: bool[S,H,W], one for each `[SEG]`, in order; S is 0 for a refusal. scores:
    f32[S] in 0..1, the mask's stability (IoU of the mask at logit +1 and at -1). seg_embeddings:
    f32[S,D], which `decode` accepts on later frames. seg_probability: probability mass of the
    answers that accept (0..1). found: the decision. calibrated: whether the decision was made by
    comparing seg_probability with the threshold that is stored with these weights, and they were
    asked as they were when it was chosen (view, prompt_template, conversation, no earlier turns).
    False, then, for a threshold of the user's own (which refuses all the same), without any (then a
    prompted answer is always `found`), and in generated mode, where the text decides. Where False,
    nobody has measured how often `found` is wrong. timings_ms: milliseconds by stage.

    confidence: the share of calibrated answers at this seg_probability that were right when the
    checkpoint was calibrated (what they asked for was there, and the IoU of the mask was 0.5 or
    more); None for a refusal, and where nobody measured it. seen: the parts of the image that the
    language model was shown, in the order it was asked about them. decoded_in: the part of the
    image that masks and embeddings are about, as a close-up; None: the whole. Such an embedding
    belongs to that part of later frames.
    """

    text: str
    prompt_text: str
    masks: BoolArray
    scores: Float32Array
    seg_embeddings: Float32Array
    seg_probability: float
    found: bool
    calibrated: bool
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    confidence: float | None = None
    seen: tuple[PixelBox, ...] = ()
    decoded_in: PixelBox | None = None


@dataclass(frozen=True)
class OrientedBox:
    """A box in the frame of its target.

    center: f64[3] m. rotation: f64[3,3], its columns are the axes. size: f64[3] m.
    """

    center: Float64Array
    rotation: Float64Array
    size: Float64Array


@dataclass(frozen=True)
class Target3D:
    """The visible surface of one masked object, in the camera optical frame.

    position: f64[3] m, the per-axis median of the kept points (never the object's centre).
    distance_m: from the camera to there, whatever frame the target is in.
    covariance: f64[3,3] m², of that position. extent: f64[3] m, size along the camera's axes.
    box: oriented box of the visible points. normal: f64[3] unit vector of the surface, towards the
    camera. depth_coverage: share of the mask's pixels with a measurement. kept_px: pixels the
    position rests on.
    """

    position: Float64Array
    distance_m: float
    covariance: Float64Array
    extent: Float64Array
    box: OrientedBox
    normal: Float64Array
    depth_coverage: float
    kept_px: int
    mask_px: int


@dataclass(frozen=True)
class NoDepth:
    """The answer of lifting when too few pixels of the mask have a depth: a fact, not a number."""

    reason: str
    depth_coverage: float
    mask_px: int
