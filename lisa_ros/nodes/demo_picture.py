"""The demo's picture: what the camera saw, what was found, and the depth, side by side."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from lisa_ros.geometry import project
from lisa_ros.nodes.demo_client import Reply
from lisa_ros.nodes.drawing import blend_mask, font, outline, target_color
from lisa_ros.nodes.images import color_from_message
from lisa_ros.simulation.room import Room
from lisa_ros.types import Float32Array, UInt8Array

_PANEL_WIDTH_PX = 560
_MARGIN_PX = 20
_HEADER_PX = 92
_CAPTION_PX = 30
_PAPER = (250, 250, 248)
_INK = (30, 30, 30)
_FAINT = (120, 120, 120)
# Near to far: light yellow over red to deep blue, even in lightness.
_DEPTH_COLORS = ((252, 243, 180), (249, 170, 90), (214, 84, 92), (122, 45, 120), (28, 22, 70))


def draw_demo(room: Room, reply: Reply, conclusion: str) -> Image.Image:
    """Draw the demo's picture. conclusion: how the answer compares with the truth, one line."""
    height, width = room.image.shape[:2]
    scale = _PANEL_WIDTH_PX / width
    size = (_PANEL_WIDTH_PX, round(height * scale))
    panels = (
        ("camera image", Image.fromarray(room.image).resize(size, Image.Resampling.LANCZOS)),
        ("what the node found", _found_panel(room, reply, size)),
        (_depth_caption(room.depth_m), _depth_panel(room.depth_m, size)),
    )
    picture = Image.new(
        "RGB",
        (
            len(panels) * (_PANEL_WIDTH_PX + _MARGIN_PX) + _MARGIN_PX,
            _HEADER_PX + size[1] + _CAPTION_PX + _MARGIN_PX,
        ),
        _PAPER,
    )
    draw = ImageDraw.Draw(picture)
    result = reply.result
    limit_px = picture.width - 2 * _MARGIN_PX
    _write_line(draw, (_MARGIN_PX, 14), f"“{result.instruction}”", 28, _INK, limit_px)
    answer = f"{result.response or result.reason}   ·   {conclusion}"
    _write_line(draw, (_MARGIN_PX, 54), answer, 18, _FAINT, limit_px)
    for index, (caption, panel) in enumerate(panels):
        left = _MARGIN_PX + index * (_PANEL_WIDTH_PX + _MARGIN_PX)
        picture.paste(panel, (left, _HEADER_PX))
        _write_line(draw, (left, _HEADER_PX + size[1] + 6), caption, 16, _FAINT, _PANEL_WIDTH_PX)
    return picture


def _found_panel(room: Room, reply: Reply, size: tuple[int, int]) -> Image.Image:
    panel = np.array(Image.fromarray(room.image).resize(size, Image.Resampling.LANCZOS))
    if reply.mask is not None:
        labels = Image.fromarray(color_from_message(reply.mask)[:, :, 0])
        large = np.asarray(labels.resize(size, Image.Resampling.NEAREST))
        for target_id in sorted(set(np.unique(large)) - {0}, reverse=True):
            mask = large == target_id
            blend_mask(panel, mask, target_color(int(target_id)))
            # A second, inner line: one pixel is thin at this size.
            panel[outline(mask & ~outline(mask))] = target_color(int(target_id))
    picture = Image.fromarray(panel)
    if reply.target_point is not None:
        _draw_target(ImageDraw.Draw(picture), room, reply, size)
    return picture


def _draw_target(
    draw: ImageDraw.ImageDraw, room: Room, reply: Reply, size: tuple[int, int]
) -> None:
    """Draw a ring with a cross at the target point, and its coordinates on a plate beside it."""
    assert reply.target_point is not None
    point = reply.target_point.point
    position = np.array([point.x, point.y, point.z])
    # Pixel centres are at integers, in the small image and in the large one.
    u, v = (project(position, room.intrinsics) + 0.5) * size[0] / room.image.shape[1] - 0.5
    for radius, color, line in ((11, (0, 0, 0), 4), (11, (255, 255, 255), 2)):
        draw.ellipse((u - radius, v - radius, u + radius, v + radius), outline=color, width=line)
        draw.line((u - 17, v, u + 17, v), fill=color, width=line - 1)
        draw.line((u, v - 17, u, v + 17), fill=color, width=line - 1)
    text = f"x {point.x:+.3f}  y {point.y:+.3f}  z {point.z:+.3f} m"
    typeface = font(17)
    width = draw.textlength(text, font=typeface)
    left = min(max(u - width / 2, 8), size[0] - width - 8)
    top = v + 28 if v + 60 < size[1] else v - 56
    draw.rounded_rectangle((left - 7, top - 4, left + width + 7, top + 25), 6, fill=(20, 20, 20))
    draw.text((left, top), text, fill=(255, 255, 255), font=typeface)


def _depth_panel(depth_m: Float32Array, size: tuple[int, int]) -> Image.Image:
    near, far = _depth_range(depth_m)
    share = np.clip((depth_m - near) / max(far - near, 1e-6), 0.0, 1.0)
    stops = np.linspace(0.0, 1.0, len(_DEPTH_COLORS))
    channels = [np.interp(share, stops, [color[c] for color in _DEPTH_COLORS]) for c in range(3)]
    colors: UInt8Array = np.nan_to_num(np.stack(channels, axis=-1), nan=0.0).astype(np.uint8)
    return Image.fromarray(colors).resize(size, Image.Resampling.NEAREST)


def _depth_range(depth_m: Float32Array) -> tuple[float, float]:
    measured = depth_m[np.isfinite(depth_m)]
    if measured.size == 0:
        return 0.0, 1.0
    near, far = np.percentile(measured, (1.0, 99.0))
    return float(near), float(far)


def _depth_caption(depth_m: Float32Array) -> str:
    near, far = _depth_range(depth_m)
    return f"depth, {near:.2f} m (light) to {far:.2f} m (dark)"


def _write_line(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    size_px: int,
    color: tuple[int, int, int],
    limit_px: int,
) -> None:
    """Write one line, cut where it would leave its room."""
    typeface = font(size_px)
    whole = " ".join(text.split())
    line = whole[:limit_px]  # no letter is narrower than a pixel
    while draw.textlength(line, font=typeface) > limit_px:
        line = line[: int(0.95 * len(line))]
    if len(line) < len(whole):
        line = line[:-2] + " …"
    draw.text(place, line, fill=color, font=typeface)
