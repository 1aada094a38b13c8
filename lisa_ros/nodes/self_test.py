"""One tiny question to a model that has just been loaded, to see that it answers at all.

Damaged weights, a dtype that overflows, too little memory on the device: all of them load without a
complaint and fail at the first question, which would be a robot's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lisa_ros.errors import LisaError, SelfTestError
from lisa_ros.types import Float32Array, Segmentation, UInt8Array

if TYPE_CHECKING:
    from lisa_ros.inference.segmenter import Segmenter

_QUESTION = "the red square"
_IMAGE_HW = (48, 64)


def self_test(segmenter: Segmenter) -> None:
    """Ask about a synthetic image; the answer may be yes or no, but it must be well formed.

    Raises SelfTestError for numbers that are not finite or out of their range, arrays of the wrong
    shape, and whatever the model raises.
    """
    try:
        problem = _problem(segmenter)
    except SelfTestError:
        raise
    except LisaError as error:
        raise SelfTestError(_sentence(str(error))) from error
    except Exception as error:  # of a library: no memory left, a kernel that does not exist
        raise SelfTestError(_sentence(f"{type(error).__name__}: {error}")) from error
    if problem:
        raise SelfTestError(_sentence(problem))


def _problem(segmenter: Segmenter) -> str:
    """Return what is wrong with the model's answer, empty if nothing is."""
    encoded = segmenter.encode_image(_synthetic_image())
    answer = segmenter.segment(encoded, _QUESTION, mode=segmenter.capabilities.modes[0])
    problem = _answer_problem(answer)
    if problem or not segmenter.capabilities.supports_redecode:
        return problem
    # A refusal has decoded nothing yet.
    embeddings: Float32Array = np.zeros((1, answer.seg_embeddings.shape[1]), dtype=np.float32)
    masks, scores = segmenter.decode(encoded, embeddings)
    return _shape_problem("masks", masks.shape, (1, *_IMAGE_HW)) or _range_problem("scores", scores)


def _answer_problem(answer: Segmentation) -> str:
    n_masks = len(answer.masks)
    if answer.seg_embeddings.ndim != 2 or len(answer.seg_embeddings) != n_masks:
        return f"there are embeddings {answer.seg_embeddings.shape} for {n_masks} masks"
    if not np.isfinite(answer.seg_embeddings).all():
        return "an embedding is not finite"
    return (
        _shape_problem("masks", answer.masks.shape, (n_masks, *_IMAGE_HW))
        or _shape_problem("scores", answer.scores.shape, (n_masks,))
        or _range_problem("scores", answer.scores)
        or _range_problem("seg_probability", np.array([answer.seg_probability], dtype=np.float32))
    )


def _shape_problem(name: str, got: tuple[int, ...], expected: tuple[int, ...]) -> str:
    return "" if got == expected else f"the shape of its {name} is {got}; expected {expected}"


def _range_problem(name: str, values: Float32Array) -> str:
    # Not the other way round: comparisons with NaN are false.
    fine = bool(((values >= 0) & (values <= 1)).all())
    return "" if fine else f"its {name} is {values.tolist()}; expected numbers from 0 to 1"


def _synthetic_image() -> UInt8Array:
    """Return u8[48,64,3]: a red square on grey."""
    image = np.full((*_IMAGE_HW, 3), 128, dtype=np.uint8)
    image[12:36, 20:44] = (220, 30, 30)
    return image


def _sentence(problem: str) -> str:
    return (
        f"The model was loaded, but does not answer a test question ({_QUESTION!r}): "
        f"{problem.rstrip('.')}. Check that the checkpoint is complete, that the device has memory "
        "to spare, or try dtype float32."
    )
