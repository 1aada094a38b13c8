"""A contact sheet of samples: each picture with its masks, questions and answers."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lisa_ros.errors import DatasetError
from lisa_ros.model.tokenizer import SEG_TOKEN
from lisa_ros.recordings.image_files import UNREADABLE
from lisa_ros.types import BoolArray
from training.data.sample import Conversation, ImageDataset, NothingToAskError, Sample

_WIDTH_PX, _HEIGHT_PX, _MARGIN_PX, _LINE_PX, _COLUMNS = 360, 270, 6, 14, 3
_LINE_CHARACTERS, _MOST_LINES = 54, 18
_TINTS = ((255, 40, 90), (0, 150, 230), (230, 160, 0), (40, 170, 60), (170, 60, 220))
_NO_MASK = (110, 110, 110)
_IGNORED = (90, 90, 90)
_IGNORE = 255
_TINT_SHARE = 0.45

_Color = tuple[int, int, int]


def draw_samples(dataset: ImageDataset, count: int, seed: int) -> list[Sample]:
    """Up to `count` samples of random images, no image twice; those with nothing to ask are passed.

    Raises:
        DatasetError: a file of a drawn image is missing or malformed.

    """
    rng = np.random.default_rng(seed)
    samples: list[Sample] = []
    for index in rng.permutation(len(dataset)):
        if len(samples) == count:
            break
        try:
            samples.append(dataset.sample(int(index), rng))
        except NothingToAskError:
            continue
    return samples


def contact_sheet(samples: Sequence[Sample]) -> Image.Image:
    """Each sample in a cell of its own; a mask and its question share a colour.

    Raises:
        DatasetError: no samples, or an image cannot be decoded.

    """
    if not samples:
        raise DatasetError("There is no sample to draw: no image of the dataset is asked anything.")
    cells = [_cell(sample) for sample in samples]
    columns = min(_COLUMNS, len(cells))
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    heights = [max(cell.height for cell in row) for row in rows]
    sheet = Image.new("RGB", (columns * cells[0].width, sum(heights)), "white")
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, cell in enumerate(row):
            sheet.paste(cell, (column * cell.width, top))
        top += height
    return sheet


def _cell(sample: Sample) -> Image.Image:
    lines = _lines(sample)
    height = _HEIGHT_PX + len(lines) * _LINE_PX + 3 * _MARGIN_PX
    cell = Image.new("RGB", (_WIDTH_PX + 2 * _MARGIN_PX, height), "white")
    picture = _picture(sample)
    cell.paste(picture, (_MARGIN_PX, _MARGIN_PX + _HEIGHT_PX - picture.height))
    draw, font = ImageDraw.Draw(cell), ImageFont.load_default(11)
    for number, (text, color) in enumerate(lines):
        y = _HEIGHT_PX + 2 * _MARGIN_PX + number * _LINE_PX
        draw.text((_MARGIN_PX, y), text, fill=color, font=font)
    return cell


def _picture(sample: Sample) -> Image.Image:
    image = _color_image(sample)
    scale = min(_WIDTH_PX / image.width, _HEIGHT_PX / image.height)
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    pixels = np.array(image.resize(size, Image.Resampling.BILINEAR), np.float32)
    for mask, color in zip(sample.masks, _mask_colors(sample), strict=True):
        small = np.array(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
        _tint(pixels, (small > 0) & (small != _IGNORE), color)
        _tint(pixels, small == _IGNORE, _IGNORED)
    return Image.fromarray(pixels.astype(np.uint8))


def _mask_colors(sample: Sample) -> list[_Color]:
    """A color for each mask; equal masks, which differ only in how they are asked for, share it."""
    distinct: dict[bytes, int] = {}
    numbers = [distinct.setdefault(mask.tobytes(), len(distinct)) for mask in sample.masks]
    return [_TINTS[number % len(_TINTS)] for number in numbers]


def _color_image(sample: Sample) -> Image.Image:
    if sample.pixels is not None:
        return Image.fromarray(sample.pixels)
    try:
        with Image.open(sample.image) as image:
            return image.convert("RGB")
    except UNREADABLE as error:
        raise DatasetError(
            f"Cannot open {sample.image}: {error}. Validate the dataset first."
        ) from error


def _tint(pixels: np.ndarray, mask: BoolArray, color: _Color) -> None:
    """Blend the mask's pixels in place, its border fully."""
    inner = mask.copy()
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        inner &= np.roll(mask, step, axis)
    pixels[inner] += _TINT_SHARE * (np.array(color, np.float32) - pixels[inner])
    pixels[mask & ~inner] = color


def _lines(sample: Sample) -> list[tuple[str, _Color]]:
    """Text with its colour; a conversation has the colour of its first mask."""
    lines: list[tuple[str, _Color]] = [(_shortened(str(sample.image)), (0, 0, 0))]
    colors = iter(_mask_colors(sample))
    for conversation in sample.conversations:
        masks = sum(turn.answer.count(SEG_TOKEN) for turn in conversation)
        own = [next(colors) for _ in range(masks)] or [_NO_MASK]
        lines += [(line, own[0]) for line in _wrapped(conversation)]
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], ("...", (0, 0, 0))]
    return lines


def _wrapped(conversation: Conversation) -> list[str]:
    lines = []
    for turn in conversation:
        for mark, text in (("Q: ", turn.question), ("A: ", turn.answer)):
            lines += textwrap.wrap(
                text, _LINE_CHARACTERS, initial_indent=mark, subsequent_indent="   "
            )
    return lines


def _shortened(text: str) -> str:
    text = text.encode(errors="backslashreplace").decode()  # names of files need not be text
    return text if len(text) <= _LINE_CHARACTERS else f"...{text[3 - _LINE_CHARACTERS :]}"
