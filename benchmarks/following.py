"""How well a target is followed, by each tracker: `python -m benchmarks.following`.

Rooms are rendered by a camera and with things that move (`lisa_ros.simulation.motion`), with a
sensor's noise. A target is asked for on the first frame; sequences where that answer is wrong are
left out, since this is about following. From then on each tracker does what the node does: it looks
at every frame, and asks again while the target is lost. They are compared with each other and with
asking on every frame ("ask"). The last line printed is JSON.

Of the frames in which enough of the target is visible, `found` is the share where its mask has an
IoU of one half or more; of those in which nothing of it is, `claimed` is the share where something
is said to be it. `switches` counts how often the target got another id. `jitter_mm` is the part of
the position's error that is not the same on the next frame (root mean square over both, and all
axes, median over sequences). `ms` is the median time of a frame on this machine.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from benchmarks.command import run
from benchmarks.following_figures import HIT_IOU, Figures, Look, Shot, count, position_of
from lisa_ros.geometry import split_mask
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.inference.segmenter import Segmenter
from lisa_ros.simulation.camera import CameraSpec
from lisa_ros.simulation.motion import MOTIONS, PERIOD_S, Motion, MovingRoom
from lisa_ros.simulation.noise import sense_depth, sense_image
from lisa_ros.simulation.requests import sample_requests
from lisa_ros.simulation.room import Room, generate_room
from lisa_ros.tracking.following import Following, Step
from lisa_ros.tracking.gates import overlap
from lisa_ros.tracking.tracker import Seed, Sighting, Tracker
from lisa_ros.tracking.trackers import TRACKERS, tracker_named
from lisa_ros.types import BoolArray, RgbdFrame, Segmentation

CAMERA = CameraSpec(320, 240)
ASK = "ask"
MAX_TARGETS = 8
ASK_AGAIN_S = 2.0


def film(moving: MovingRoom, rate_hz: float, duration_s: float) -> list[Shot]:
    """Render a sequence and add a sensor's noise."""
    rng = np.random.default_rng([moving.room.seed, 3])
    shots = []
    for index in range(round(duration_s * rate_hz) + 1):
        moment = moving.at(index / rate_hz)
        frame, truth = moment.frame, moment.mask(moving.target_id)
        assert frame.depth_m is not None
        assert frame.intrinsics is not None
        sensed = replace(
            frame,
            image=sense_image(frame.image, rng),
            depth_m=sense_depth(frame.depth_m, frame.intrinsics, rng),
        )
        shots.append(Shot(sensed, truth, position_of(frame, truth)))
    return shots


def seeds_of(answer: Segmentation, frame: RgbdFrame) -> list[Seed]:
    """Return the targets of an answer as the node counts them: object by object, from 1."""
    parts = [
        (part, embedding)
        for mask, embedding in zip(answer.masks, answer.seg_embeddings, strict=True)
        for part in split_mask(mask, frame.depth_m, frame.intrinsics, max_parts=MAX_TARGETS)
    ]
    return [Seed(i, *part) for i, part in enumerate(parts[:MAX_TARGETS], start=1)]


def ask_every_frame(segmenter: Segmenter, instruction: str, shots: Sequence[Shot]) -> list[Look]:
    """Ask anew on each frame after the first; ids are those of each answer."""
    looks = []
    for shot in shots[1:]:
        started_s = time.perf_counter()
        seeds = seeds_of(segmenter.segment(shot.frame.image, instruction), shot.frame)
        looks.append(Look({seed.target_id: seed.mask for seed in seeds}, _ms_since(started_s)))
    return looks


def follow(
    tracker: Tracker, segmenter: Segmenter, instruction: str, shots: Sequence[Shot]
) -> list[Look]:
    """Ask on the first frame, then look at each, and ask again while all targets are lost."""
    now_s = [0.0]
    following = Following(lambda: now_s[0])
    first = shots[0].frame
    tracker.start(first, seeds_of(segmenter.segment(first.image, instruction), first))
    following.began()
    looks = []
    for shot in shots[1:]:
        now_s[0] = shot.frame.stamp_ns / 1e9
        started_s = time.perf_counter()
        if following.due(ASK_AGAIN_S) is Step.ASK:
            following.asked()
            masks = _ask_again(tracker, segmenter, instruction, shot.frame)
            if masks:
                following.began()
        else:
            found = tracker.update(shot.frame)
            masks = {i: fate.mask for i, fate in found.items() if isinstance(fate, Sighting)}
            following.looked(bool(masks))
        looks.append(Look(masks, _ms_since(started_s)))
    return looks


def _ask_again(
    tracker: Tracker, segmenter: Segmenter, instruction: str, frame: RgbdFrame
) -> dict[int, BoolArray]:
    seeds = seeds_of(segmenter.segment(frame.image, instruction), frame)
    if not seeds:
        return {}
    ids = tracker.identify(frame, [seed.mask for seed in seeds])
    seeds = [replace(seed, target_id=i) for seed, i in zip(seeds, ids, strict=True)]
    tracker.start(frame, seeds)
    return {seed.target_id: seed.mask for seed in seeds}


def _ms_since(started_s: float) -> float:
    return 1e3 * (time.perf_counter() - started_s)


def question_about(room: Room) -> tuple[str, int] | None:
    """Return a name that one thing in the room has, and which; None where there is none."""
    rng = np.random.default_rng([room.seed, 5])
    requests = sample_requests(room, rng, 12, "train", absent_share=0.0)
    names = [request for request in requests if request.form == "name"]
    return (names[0].text, names[0].target_ids[0]) if names else None


def is_right(segmenter: Segmenter, instruction: str, shot: Shot) -> bool:
    """Say whether the target is among what the model answers about a frame."""
    seeds = seeds_of(segmenter.segment(shot.frame.image, instruction), shot.frame)
    return any(overlap(seed.mask, shot.truth) >= HIT_IOU for seed in seeds)


def main() -> None:
    """Film, follow, count and print."""
    options = _options()
    engine = LisaEngine.from_pretrained(options.model, options.device)
    table = {(way, motion): Figures() for way in options.trackers for motion in options.motions}
    left_out = 0
    for seed in tqdm(range(options.seed, options.seed + options.rooms), unit="room"):
        question = question_about(generate_room(seed, camera=CAMERA))
        if question is None:
            left_out += len(options.motions)
            continue
        instruction, target_id = question
        for motion in options.motions:
            moving = MovingRoom(seed, target_id, motion, CAMERA)
            shots = film(moving, options.rate, options.duration)
            if not is_right(engine, instruction, shots[0]):
                left_out += 1
                continue
            for way in options.trackers:
                looks = _looks(way, engine, instruction, shots, options)
                count(table[way, motion], shots, looks)
    _print(table, options, left_out)


def _looks(
    way: str,
    engine: LisaEngine,
    instruction: str,
    shots: Sequence[Shot],
    options: argparse.Namespace,
) -> list[Look]:
    if way == ASK:
        return ask_every_frame(engine, instruction, shots)
    tracker = tracker_named(way, engine, sam2_model=options.sam2_model, device=options.device)
    return follow(tracker, engine, instruction, shots)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.following", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--model", default="lisa-tiny")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=70_000, help="seed of the first room")
    parser.add_argument("--rooms", type=int, default=10)
    parser.add_argument("--rate", type=float, default=5.0, help="frames a second")
    parser.add_argument("--duration", type=float, default=PERIOD_S, help="of a sequence, seconds")
    parser.add_argument("--motions", nargs="+", choices=MOTIONS, default=list(MOTIONS))
    ways = [ASK, *TRACKERS]
    parser.add_argument("--trackers", nargs="+", choices=ways, default=[ASK, "redecode", "flow"])
    parser.add_argument("--sam2-model", default="", help="weights for the tracker sam2")
    return parser.parse_args()


def _print(
    table: dict[tuple[str, Motion], Figures], options: argparse.Namespace, left_out: int
) -> None:
    rows = {f"{way}/{motion}": figures.summary() for (way, motion), figures in table.items()}
    columns = list(Figures().summary())
    print(f"{'':<22}" + "".join(f"{name:>11}" for name in columns))
    for name, row in rows.items():
        print(f"{name:<22}" + "".join(f"{_cell(row[column]):>11}" for column in columns))
    print(
        json.dumps(
            {
                "model": options.model,
                "sequences": options.rooms * len(options.motions) - left_out,
                "left_out": left_out,
                "rate_hz": options.rate,
                "duration_s": options.duration,
                "figures": rows,
            }
        )
    )


def _cell(value: float | int | None) -> str:
    return "-" if value is None else f"{value:g}"


if __name__ == "__main__":
    raise SystemExit(run(main))
