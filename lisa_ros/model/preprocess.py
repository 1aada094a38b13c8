"""A camera image as SAM (in a padded square) and CLIP (a view of it) want it, whole or in pieces.

Both resize with PIL, as upstream does; another library's bilinear or bicubic gives other pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from lisa_ros.errors import CheckpointMismatchError, ConfigurationError, ImageError
from lisa_ros.model.json_files import fits
from lisa_ros.model.views import view_named
from lisa_ros.types import Float32Array, UInt8Array

SAM_MEAN = (123.675, 116.28, 103.53)  # of 0..255 RGB
SAM_STD = (58.395, 57.12, 57.375)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # of 0..1 RGB
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

# The whole image is resized before its centre is cut out: a line of a few thousand pixels would
# become a picture of gigabytes.
_MAX_ELONGATION = 64


class SamInput(NamedTuple):
    """pixels: f32[3,S,S], normalised, zero beyond the image. resized_hw: rows, columns of image."""

    pixels: torch.Tensor
    resized_hw: tuple[int, int]


@dataclass(frozen=True)
class ClipProcessor:
    """The CLIP vision tower's own preprocessing.

    size: side of its square input in pixels. mean, std: of RGB in 0..1.
    """

    size: int
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ClipProcessor:
        """Read a `preprocessor_config.json`, of either generation of transformers.

        Raises CheckpointMismatchError, naming the field, for what is malformed and for what CLIP
        does not do: another resize (a squash, another filter), crop, scale or normalisation.
        """
        for step in ("do_resize", "do_center_crop", "do_rescale", "do_normalize"):
            if config.get(step, True) is not True:
                raise _unlike_clip(step, config[step], "true: CLIP does this")
        if config.get("resample", 3) != Image.Resampling.BICUBIC:
            raise _unlike_clip("resample", config["resample"], "3 (bicubic)")
        factor = config.get("rescale_factor", 1 / 255)
        if not fits(factor, "float") or not math.isclose(factor, 1 / 255):
            raise _unlike_clip("rescale_factor", factor, "1/255")
        size = _side(config, "size", {"shortest_edge"})
        if _side(config, "crop_size", {"height", "width"}) != size:
            raise _unlike_clip("crop_size", config["crop_size"], f"{size}, as size has it")
        return cls(
            size=size,
            mean=_triple(config, "image_mean", CLIP_MEAN, smallest=-math.inf),
            std=_triple(config, "image_std", CLIP_STD, smallest=1e-6),
        )


def check_image(image: UInt8Array) -> UInt8Array:
    """Return the image as a C-contiguous array; ImageError unless it is u8[H,W,3] with H, W > 0."""
    if not isinstance(image, np.ndarray):
        raise ImageError(f"Got a {type(image).__name__}, expected a numpy array u8[H,W,3] in RGB.")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ImageError(
            f"Got an image {image.dtype}{list(image.shape)}, expected uint8[H,W,3] in RGB with H, "
            "W > 0."
        )
    return np.ascontiguousarray(image)


def sam_resized_hw(height: int, width: int, side: int) -> tuple[int, int]:
    """Return the size at which the longest edge is `side`, rounded half up as upstream rounds."""
    scale = side * 1.0 / max(height, width)
    resized = int(height * scale + 0.5), int(width * scale + 0.5)
    if 0 in resized:
        raise ImageError(
            f"An image of {width}x{height} pixels is too elongated: its short side vanishes when "
            f"the long one becomes {side} pixels."
        )
    return resized


def sam_input(image: UInt8Array, side: int) -> SamInput:
    """Prepare u8[H,W,3] for SAM: resize, normalise, and only then pad right and bottom."""
    image = check_image(image)
    height, width = sam_resized_hw(image.shape[0], image.shape[1], side)
    resized = _resize(image, height, width, Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(resized).permute(2, 0, 1)
    normalised = (pixels - torch.tensor(SAM_MEAN).view(3, 1, 1)) / torch.tensor(SAM_STD).view(
        3, 1, 1
    )
    padded = torch.nn.functional.pad(normalised, (0, side - width, 0, side - height))
    return SamInput(padded, (height, width))


def clip_input(image: UInt8Array, processor: ClipProcessor, view: str = "center") -> torch.Tensor:
    """Prepare u8[H,W,3] for CLIP: f32[3,size,size], what `view` leaves of the image, normalised."""
    # The order and precision of the arithmetic are those of transformers' CLIPImageProcessor.
    scaled = (clip_view(image, processor, view).astype(np.float64) * (1 / 255)).astype(np.float32)
    mean, std = np.array((processor.mean, processor.std), np.float32)
    pixels: Float32Array = (scaled - mean) / std
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def clip_view(image: UInt8Array, processor: ClipProcessor, view: str = "center") -> UInt8Array:
    """Return what CLIP sees, u8[size,size,3].

    center: shortest edge to `size`, centre crop; the ends of a wide image are not seen (upstream).
    letterbox: longest edge to `size`, the whole image, bordered with CLIP's mean colour.
    Raises ConfigurationError for "tiles", which are several pictures; see `views.pieces`.
    """
    image = check_image(image)
    if view_named(view) == "tiles":
        raise ConfigurationError(
            "The view 'tiles' shows an image in several pictures, and one is wanted here. Choose "
            "center or letterbox; to train for tiles choose letterbox, which is what CLIP sees of "
            "each tile."
        )
    return _letterbox(image, processor) if view == "letterbox" else _center(image, processor)


def _center(image: UInt8Array, processor: ClipProcessor) -> UInt8Array:
    height, width = image.shape[:2]
    size, short, long = processor.size, min(height, width), max(height, width)
    if long > _MAX_ELONGATION * short:
        raise ImageError(
            f"An image of {width}x{height} pixels is too elongated: of its length a centre crop "
            f"shows less than 1/{_MAX_ELONGATION}. Choose the view tiles or letterbox, or crop it."
        )
    long_resized = int(size * long / short)
    resized_hw = (size, long_resized) if height <= width else (long_resized, size)
    resized = _resize(image, *resized_hw, Image.Resampling.BICUBIC)
    top, left = (resized_hw[0] - size) // 2, (resized_hw[1] - size) // 2
    return resized[top : top + size, left : left + size]


def _letterbox(image: UInt8Array, processor: ClipProcessor) -> UInt8Array:
    size = processor.size
    height, width = sam_resized_hw(image.shape[0], image.shape[1], size)
    border = np.rint(np.array(processor.mean) * 255).astype(np.uint8)
    canvas: UInt8Array = np.broadcast_to(border, (size, size, 3)).copy()
    top, left = (size - height) // 2, (size - width) // 2
    canvas[top : top + height, left : left + width] = _resize(
        image, height, width, Image.Resampling.BICUBIC
    )
    return canvas


def _resize(image: UInt8Array, height: int, width: int, method: Image.Resampling) -> UInt8Array:
    return np.array(Image.fromarray(image).resize((width, height), method))


def _side(config: Mapping[str, Any], name: str, keys: set[str]) -> int:
    """Read a size given as a number, or by keys that all have the same value.

    A `size` of height and width is not among them: transformers then squashes the image.
    """
    value = config.get(name)
    named = value if isinstance(value, Mapping) else dict.fromkeys(keys, value)
    sides = list(named.values())
    if (
        set(named) != keys
        or not fits(sides[0], "int")
        or sides[0] < 1
        or sides.count(sides[0]) < len(keys)
    ):
        raise _unlike_clip(name, value, f"a number of pixels, or {{{', '.join(sorted(keys))}}}")
    return int(sides[0])


def _triple(
    config: Mapping[str, Any], name: str, default: Sequence[float], smallest: float
) -> tuple[float, float, float]:
    values = config.get(name, default)
    numbers = isinstance(values, Sequence) and all(fits(v, "float") for v in values)
    if not numbers or len(values) != 3 or not all(smallest <= v < math.inf for v in values):
        raise _unlike_clip(name, values, "three numbers, for red, green and blue")
    red, green, blue = (float(v) for v in values)
    return red, green, blue


def _unlike_clip(name: str, value: object, expected: str) -> CheckpointMismatchError:
    return CheckpointMismatchError(
        f"The vision tower's preprocessor_config.json: {name} is {value!r}, expected {expected}. "
        "Use the files of the CLIP that the checkpoint was trained with."
    )
