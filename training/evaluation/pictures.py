"""Pictures of answers: which to show, and the image beside its true and its predicted mask."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from lisa_ros.types import BoolArray, UInt8Array
from training.evaluation.asked import EvaluationSet
from training.evaluation.asking import Protocol, answered
from training.evaluation.record import Record
from training.evaluation.running import Examiner
from training.metrics import IGNORED, TARGET

PICTURES_EACH = 6
_PANEL_PX = 320
_GAP_PX = 4
_JPEG_QUALITY = 80
_TRUE, _PREDICTED, _LEFT_OUT = (40, 200, 90), (255, 60, 110), (120, 120, 120)
_TINT_SHARE = 0.5


class Choice(NamedTuple):
    """Records to show. kind: "worst", "best" or "random"."""

    kind: str
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Picture:
    """kind: why it is shown. jpeg_uri: image, true mask and predicted mask in a row."""

    kind: str
    record: Record
    jpeg_uri: str


def choose(records: Sequence[Record], seed: int, each: int = PICTURES_EACH) -> tuple[Choice, ...]:
    """The worst, the best and random ones of the others; none twice.

    The best are of questions with a target: marking nothing where nothing is shows little.
    """
    ranked = sorted(records, key=lambda r: (r.iou, r.index, r.number))
    worst = ranked[:each]
    present = [r for r in ranked[len(worst) :] if r.present]
    best = present[::-1][:each]
    shown = {r.key for r in [*worst, *best]}
    others = [r for r in ranked if r.key not in shown]
    rng = np.random.default_rng(seed)
    drawn = [others[i] for i in sorted(rng.permutation(len(others))[:each])]
    return (
        Choice("worst", tuple(worst)),
        Choice("best", tuple(best)),
        Choice("random", tuple(drawn)),
    )


def pictures(
    examiner: Examiner, evaluation_set: EvaluationSet, protocol: Protocol, choices: Sequence[Choice]
) -> list[Picture]:
    """Ask the chosen questions once more, as no mask was kept, and draw the answers."""
    drawn = []
    for choice in choices:
        for record in choice.records:
            image = evaluation_set.image(record.index)
            asked = image.questions[record.number]
            encoded = examiner.segmenter.encode_image(image.pixels)
            predicted = answered(examiner.segmenter, encoded, asked, protocol).predicted
            uri = _jpeg_uri(panels(image.pixels, asked.truth, predicted))
            drawn.append(Picture(choice.kind, record, uri))
    return drawn


def panels(pixels: UInt8Array, truth: UInt8Array, predicted: BoolArray) -> Image.Image:
    """The image, the image with the true mask (ignored pixels grey), and with the predicted one."""
    height, width = truth.shape
    scale = min(_PANEL_PX / height, _PANEL_PX / width, 4.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    plain = np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR), np.float32)
    small_truth = np.array(Image.fromarray(truth).resize(size, Image.Resampling.NEAREST))
    small = Image.fromarray(predicted.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
    true = _tinted(plain, small_truth == TARGET, _TRUE)
    true = _tinted(true, small_truth == IGNORED, _LEFT_OUT)
    gap = np.full((size[1], _GAP_PX, 3), 255, np.float32)
    found = _tinted(plain, np.array(small) > 0, _PREDICTED)
    return Image.fromarray(np.hstack([plain, gap, true, gap, found]).astype(np.uint8))


def _tinted(pixels: np.ndarray, mask: BoolArray, color: tuple[int, int, int]) -> np.ndarray:
    tinted = pixels.copy()
    tinted[mask] += _TINT_SHARE * (np.array(color, np.float32) - tinted[mask])
    return tinted


def _jpeg_uri(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
