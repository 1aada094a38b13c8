"""What a checkpoint's SAM makes of true clicks: `python -m benchmarks.clicks --model FOLDER`.

SAM's decoder is shown a click in the middle of each thing in simulated rooms, and the box around
it. Of pre-trained eyes (`training.pretrain`'s, before `training.train` has taught the decoder
`[SEG]` instead) this says how good masks are when nothing has to be understood: about as good as
those of a LISA on the same frozen encoder can get. The last line printed is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from benchmarks.command import run
from lisa_ros.inference.devices import device_named, dtype_named
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.checkpoint import load_checkpoint
from lisa_ros.simulation.room import Room, generate_room
from training.evaluation.attribution import HIT_IOU, Oracle, sam_oracle, true_prompts
from training.metrics import mask_iou, pixel_counts

SMALL_PX = 800


class Shown(NamedTuple):
    """One thing: its pixels, and the IoU of the masks for its click and its box."""

    px: int
    click: float
    box: float


def shown(engine: LisaEngine, oracle: Oracle, room: Room) -> list[Shown]:
    """Show everything in a room that could be asked for."""
    encoded, found = engine.encode_image(room.image), []
    for item in filter(attrgetter("is_target"), room.objects):
        truth = room.mask([item.id])
        masks = oracle(encoded, true_prompts(truth))
        click, box = (mask_iou(*pixel_counts(mask, truth.astype(np.uint8))) for mask in masks)
        found.append(Shown(item.visible_px, click, box))
    return found


def figures(things: Sequence[Shown]) -> dict[str, object]:
    """Mean IoU of clicks and boxes, and the share of clicks that hit; None of no things."""
    if not things:
        return {"things": 0, "click": None, "box": None, "hits": None}
    clicks = np.array([thing.click for thing in things])
    return {
        "things": len(things),
        "click": round(float(clicks.mean()), 4),
        "box": round(float(np.mean([thing.box for thing in things])), 4),
        "hits": round(float(np.mean(clicks >= HIT_IOU)), 4),
    }


def main() -> None:
    """Show rooms and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.clicks", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--model", required=True, help="such as runs/lisa-tiny/pretrained")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0, help="of the first room")
    parser.add_argument("--rooms", type=int, default=100)
    options = parser.parse_args()

    device = device_named(options.device)
    loaded = load_checkpoint(options.model, device, dtype_named("auto", device))
    engine, oracle = LisaEngine(loaded, found_threshold=None), sam_oracle(loaded.model)
    things: list[Shown] = []
    for seed in tqdm(range(options.seed, options.seed + options.rooms), unit="room"):
        things += shown(engine, oracle, generate_room(seed))
    small = [thing for thing in things if thing.px < SMALL_PX]
    groups = {"all": figures(things), f"below {SMALL_PX} px": figures(small)}
    for name, found in groups.items():
        print(f"{name:<14}" + "  ".join(f"{key} {value}" for key, value in found.items()))
    print(json.dumps({"model": options.model, "first_seed": options.seed, **groups}))


if __name__ == "__main__":
    sys.exit(run(main))
