"""The overlay picture: the camera image with each target's mask, cross, id, words and distance."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lisa_ros.nodes.answers import Answer, FoundTarget, quoted
from lisa_ros.types import BoolArray, PixelBox, Target3D, UInt8Array

# First a magenta that rooms seldom hold, then colours that stay apart for most colour-blind people
# (Okabe and Ito, 2008).
PALETTE = (
    (240, 30, 140),
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
)
_MASK_OPACITY = 0.45
_MAX_LABEL_LENGTH = 32
_FRAME = (255, 255, 255)


def target_color(target_id: int) -> tuple[int, int, int]:
    """Return the RGB colour of a target id, the same in every picture, marker and cloud."""
    return PALETTE[(target_id - 1) % len(PALETTE)]


def draw_overlay(answer: Answer) -> UInt8Array:
    """Return the answer's camera image u8[H,W,3] with what was found drawn over it.

    The answer must have a frame. What the language model was not shown is darker, and each part of
    the image that it was shown has a thin frame.
    """
    assert answer.frame is not None
    image = answer.frame.image.copy()
    seen = () if answer.segmentation is None else answer.segmentation.seen
    _darken_unseen(image, seen)
    for target in reversed(answer.targets):
        blend_mask(image, target.mask, target_color(target.target_id))
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    for box in seen:
        if (box.width, box.height) != picture.size:
            draw.rectangle((box.left, box.top, box.right - 1, box.bottom - 1), outline=_FRAME)
    for target in answer.targets:
        _draw_label(draw, target)
    if not answer.targets:
        write(draw, (4, 4), f"{answer.status.name}: {quoted(answer.instruction)}", (255, 255, 255))
    return np.asarray(picture)


def target_caption(target: FoundTarget) -> str:
    """Return the line beside a target: its id, what it is called, how far from the camera it is."""
    words = "".join(character if character.isprintable() else " " for character in target.label)
    if len(words) > _MAX_LABEL_LENGTH:
        words = f"{words[:_MAX_LABEL_LENGTH]}..."
    far = "no depth"
    if isinstance(target.lifted, Target3D):
        far = f"{target.lifted.distance_m:.2f} m"
    return f"{target.target_id}: {words}, {far}" if words else f"{target.target_id}: {far}"


def blend_mask(image: UInt8Array, mask: BoolArray, color: tuple[int, int, int]) -> None:
    """Tint the pixels of a mask bool[H,W] in image u8[H,W,3], in place, its outline fully."""
    tint = np.array(color, dtype=np.float32)
    image[mask] = ((1 - _MASK_OPACITY) * image[mask] + _MASK_OPACITY * tint).astype(np.uint8)
    image[outline(mask)] = color


def outline(mask: BoolArray) -> BoolArray:
    """Return the pixels of a mask that have a pixel outside it as their neighbour, bool[H,W]."""
    inner = np.zeros_like(mask)
    inner[1:-1, 1:-1] = (
        mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    )
    return mask & ~inner


def write(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, color: tuple[int, int, int]
) -> None:
    """Write text with a dark edge, so that it can be read on any image."""
    draw.text(place, text, fill=color, font=font(12), stroke_width=1, stroke_fill=(0, 0, 0))


def font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the typeface that comes with Pillow."""
    return ImageFont.load_default(size_px)


def _darken_unseen(image: UInt8Array, seen: tuple[PixelBox, ...]) -> None:
    if not seen:
        return  # a model that does not say what it was shown
    unseen = np.ones(image.shape[:2], np.bool_)
    for box in seen:
        unseen[box.top : box.bottom, box.left : box.right] = False
    image[unseen] //= 2


def _draw_label(draw: ImageDraw.ImageDraw, target: FoundTarget) -> None:
    rows, columns = np.nonzero(target.mask)
    u, v = float(np.median(columns)), float(np.median(rows))
    label = target_caption(target)
    for arm in ((-5, 0, 5, 0), (0, -5, 0, 5)):
        draw.line((u + arm[0], v + arm[1], u + arm[2], v + arm[3]), fill=(255, 255, 255), width=1)
    left = min(max(float(columns.min()), 2.0), max(2.0, draw.im.size[0] - 7.0 * len(label)))
    top = float(rows.min()) - 16
    write(
        draw,
        (left, top if top > 0 else float(rows.max()) + 3),
        label,
        target_color(target.target_id),
    )
