"""Close-ups on the way to an answer: where nothing was found, and for a part of what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lisa_ros.inference import close_up, second_look
from lisa_ros.nodes.answers import Stage
from lisa_ros.nodes.work import Work
from lisa_ros.types import BoolArray, RgbdFrame, Segmentation, Turn

if TYPE_CHECKING:
    from lisa_ros.inference.segmenter import Mode, Segmenter


def look_again(
    segmenter: Segmenter,
    work: Work,
    frame: RgbdFrame,
    first: Segmentation,
    *,
    max_looks: int,
    mode: Mode,
    turns: Sequence[Turn],
) -> Segmentation:
    """Look closer where the first answer found nothing; see `second_look.look_again`.

    turns: earlier ones that the first was asked with.
    """
    work.begin(Stage.LOOKING_AGAIN)
    looked = second_look.look_again(
        segmenter,
        frame.image,
        work.request.instruction,
        first,
        max_looks=max_looks,
        mode=mode,
        history=turns,
        should_stop=work.request.stop_signal.should_stop,
    )
    n_parts = len(looked.seen) - len(first.seen)
    if second_look.is_found(looked):
        work.say(looked.text)
        work.remarks.append(f"Found only by a closer look at {n_parts} parts of the image.")
    else:
        work.remarks.append(f"A closer look at {n_parts} parts of the image did not find it.")
    return looked


def ask_for_part(
    segmenter: Segmenter,
    work: Work,
    frame: RgbdFrame,
    found: Segmentation,
    mask: BoolArray,
    *,
    mode: Mode,
) -> Segmentation:
    """Ask what the request wants to know of a mask bool[H,W] of `found`; see `close_up.refine`."""
    work.begin(Stage.REFINING)
    part = close_up.refine(
        segmenter,
        frame.image,
        mask,
        work.request.refine,
        mode=mode,
        on_text=work.say,
        should_stop=work.request.stop_signal.should_stop,
    )
    return replace(part, seen=found.seen + part.seen)
