"""Images as `LisaEngine` keeps them, whole or in pieces that are looked at one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from lisa_ros.inference.generation import Prefix
from lisa_ros.inference.segmenter import EncodedImage
from lisa_ros.types import PixelBox

if TYPE_CHECKING:
    from lisa_ros.inference.image_encoder import ImageEncoder


@dataclass(frozen=True, eq=False)
class DecodableImage(EncodedImage):
    """What mask decoding needs of an image.

    resized_hw: its size inside SAM's padded input. sam_embedding: [C,g,g].
    """

    resized_hw: tuple[int, int]
    sam_embedding: Tensor


@dataclass(frozen=True, eq=False)
class LisaImage(DecodableImage):
    """An image that can be asked about.

    prefix: the language model's memory of it. encoder: who made it; only the engine that it belongs
    to can read it.
    """

    prefix: Prefix
    encoder: ImageEncoder


class Piece(NamedTuple):
    """A part of an image, encoded as an image of its own. box: where it lies."""

    box: PixelBox
    image: EncodedImage


@dataclass(frozen=True, eq=False)
class PiecedImage(EncodedImage):
    """An image in several pieces, which may overlap and together cover it."""

    pieces: tuple[Piece, ...]


def pieces_of(image: EncodedImage) -> tuple[Piece, ...]:
    """Return the pieces of an image; one that was encoded at once is its only piece."""
    if isinstance(image, PiecedImage):
        return image.pieces
    height, width = image.image_hw
    return (Piece(PixelBox(0, 0, width, height), image),)
