"""What of a camera image a model is shown, by name. Imports no torch."""

from __future__ import annotations

from typing import Literal, cast, get_args

from lisa_ros.errors import ConfigurationError
from lisa_ros.types import PixelBox

View = Literal["center", "letterbox", "tiles"]
VIEWS: tuple[str, ...] = get_args(View)


def view_named(view: str) -> View:
    """Return the view; ConfigurationError names those that are available."""
    if view not in VIEWS:
        raise ConfigurationError(
            f"The view {view!r} is not available; choose one of {', '.join(VIEWS)}."
        )
    return cast("View", view)


def pieces(height: int, width: int, view: str) -> tuple[PixelBox, ...]:
    """Return the parts of an image that are encoded one by one; all but tiles take it whole.

    tiles: a square at either end of a wide or tall image. They share its middle, or touch where one
    side is twice the other; of longer images each is one half. A square image is its only tile.
    """
    if view_named(view) != "tiles" or height == width:
        return (PixelBox(0, 0, width, height),)
    short, long = min(height, width), max(height, width)
    side = max(short, (long + 1) // 2)
    if height < width:
        return PixelBox(0, 0, side, height), PixelBox(width - side, 0, width, height)
    return PixelBox(0, 0, width, side), PixelBox(0, height - side, width, height)


def seen_boxes(height: int, width: int, view: str) -> tuple[PixelBox, ...]:
    """Return the parts of an image that the language model sees, through CLIP."""
    if view_named(view) != "center":
        return pieces(height, width, view)
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    return (PixelBox(left, top, left + side, top + side),)
