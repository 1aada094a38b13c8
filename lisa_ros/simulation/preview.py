"""Draw a contact sheet of rooms with requests and masks.

`python -m lisa_ros.simulation.preview OUT.png --seed 0 --rooms 12`
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lisa_ros.errors import LisaError, SimulationError
from lisa_ros.simulation.camera import CameraSpec
from lisa_ros.simulation.requests import Request, sample_requests
from lisa_ros.simulation.room import PRESETS, Room, generate_room
from lisa_ros.types import UInt8Array

_WIDTH_PX, _HEIGHT_PX, _LINE_PX, _LINES, _COLUMNS = 320, 256, 15, 4, 4
_TEXT_CHARACTERS = 52
_TINTS = ((255, 40, 90), (40, 200, 255), (255, 200, 0), (120, 255, 80))


def contact_sheet(rooms: Sequence[Room], seed: int = 0) -> Image.Image:
    """Each room above a few requests; a request and its mask share a colour, absent: grey."""
    rows = -(-len(rooms) // _COLUMNS)
    cell = (_WIDTH_PX + 8, _HEIGHT_PX + _LINES * _LINE_PX + 12)
    sheet = Image.new("RGB", (cell[0] * min(_COLUMNS, len(rooms)), cell[1] * rows), "white")
    for index, room in enumerate(rooms):
        requests = sample_requests(room, np.random.default_rng([seed, index]), _LINES)
        requests.sort(key=lambda request: not request.present)
        corner = (index % _COLUMNS * cell[0] + 4, index // _COLUMNS * cell[1] + 4)
        _draw_room(sheet, corner, room, requests)
    return sheet


def _draw_room(
    sheet: Image.Image, corner: tuple[int, int], room: Room, requests: Sequence[Request]
) -> None:
    image = room.image.copy()
    for request, tint in zip(requests, _TINTS, strict=False):
        _outline(image, room, request, tint)
    picture = Image.fromarray(image)
    scale = min(_WIDTH_PX / picture.width, _HEIGHT_PX / picture.height)
    size = (round(picture.width * scale), round(picture.height * scale))
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    sheet.paste(picture, (corner[0], corner[1] + _HEIGHT_PX - size[1]))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for line, (request, tint) in enumerate(zip(requests, _TINTS, strict=False)):
        y = corner[1] + _HEIGHT_PX + 2 + line * _LINE_PX
        if request.present:
            draw.rectangle((corner[0], y + 3, corner[0] + 9, y + 12), fill=tint)
        text = request.text if request.present else f"not there: {request.text}"
        fill = (20, 20, 20) if request.present else (130, 130, 130)
        draw.text((corner[0] + 14, y), text[:_TEXT_CHARACTERS], fill=fill, font=font)


def _outline(image: UInt8Array, room: Room, request: Request, tint: tuple[int, int, int]) -> None:
    """Tint the border of the request's mask in place."""
    mask = room.mask(request.target_ids)
    inner = mask.copy()
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        inner &= np.roll(mask, step, axis)
    image[mask & ~inner] = tint


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when the sheet was written."""
    parser = argparse.ArgumentParser(
        prog="python -m lisa_ros.simulation.preview", description=__doc__
    )
    parser.add_argument("out", type=Path, help="the picture to write")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first room")
    parser.add_argument("--rooms", type=int, default=12, help="how many rooms")
    parser.add_argument("--preset", choices=PRESETS, default="tabletop")
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("W", "H"), help="camera size; else mixed"
    )
    options = parser.parse_args(arguments)
    camera = CameraSpec(*options.size) if options.size else None
    try:
        if options.rooms < 1:
            raise SimulationError(f"Got --rooms {options.rooms}; there must be at least 1.")
        seeds = range(options.seed, options.seed + options.rooms)
        rooms = [generate_room(seed, options.preset, camera) for seed in seeds]
    except LisaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    contact_sheet(rooms, options.seed).save(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
