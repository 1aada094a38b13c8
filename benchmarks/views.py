"""What a view and a second look are worth on wide images: `python -m benchmarks.views`.

Rooms are rendered by two 16:9 cameras in turn: one in which things reach the edges of the image,
and one so wide that most are 2 to 6 % of its width. Counted are, for each view and with and without
closer looks: how many targets are found with an IoU of one half or more, how often something else
is marked, and how much of what is absent is rejected. The threshold is the checkpoint's own, which
was chosen for its own view. The last line printed is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from benchmarks.command import run
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.inference.second_look import is_found, look_again
from lisa_ros.inference.segmenter import Segmenter
from lisa_ros.model.views import VIEWS, seen_boxes
from lisa_ros.simulation.camera import CameraSpec
from lisa_ros.simulation.requests import sample_requests
from lisa_ros.simulation.room import Room, generate_room
from lisa_ros.types import BoolArray, Segmentation

CAMERAS = (CameraSpec(1280, 720, 640.0), CameraSpec(1280, 720, 200.0))
REQUESTS_PER_ROOM = 10
ABSENT_SHARE = 0.3
SMALL_SHARES = (0.02, 0.06)  # of the image's width
HIT_IOU = 0.5
PRESENT_GROUPS = ("edge", "small", "other")


@dataclass(frozen=True, eq=False)
class Question:
    """A sentence, the mask bool[H,W] of what it asks for, and the groups that it counts in."""

    text: str
    truth: BoolArray
    groups: tuple[str, ...]


@dataclass
class Tally:
    """What became of the questions put in one way: outcomes by group, milliseconds of each."""

    outcomes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    milliseconds: list[float] = field(default_factory=list)

    def add(self, question: Question, answer: Segmentation, milliseconds: float) -> None:
        """Count one answer."""
        for group in question.groups:
            self.outcomes[group].append(outcome(answer, question.truth))
        self.milliseconds.append(milliseconds)

    def share(self, group: str, wanted: str) -> float | None:
        """Share of a group's questions with an outcome; None for a group without any."""
        found = self.outcomes[group]
        return found.count(wanted) / len(found) if found else None


def groups_of(truth: BoolArray) -> tuple[str, ...]:
    """Return the groups of a target by its mask.

    "edge": most of it outside the centre square. "small": 2 to 6 % of the image's width wide.
    "other": neither. "absent": there is none.
    """
    height, width = truth.shape
    if not truth.any():
        return ("absent",)
    ((left, top, right, bottom),) = seen_boxes(height, width, "center")
    columns = np.flatnonzero(truth.any(axis=0))
    wide = (columns[-1] - columns[0] + 1) / width
    groups = []
    if truth[top:bottom, left:right].sum() < truth.sum() / 2:
        groups.append("edge")
    if SMALL_SHARES[0] <= wide <= SMALL_SHARES[1]:
        groups.append("small")
    return tuple(groups) or ("other",)


def outcome(answer: Segmentation, truth: BoolArray) -> str:
    """Return "right", "wrong" (something else is marked) or "rejected"."""
    if not is_found(answer):
        return "rejected"
    marked = answer.masks.any(axis=0)
    iou = np.count_nonzero(marked & truth) / np.count_nonzero(marked | truth)
    return "right" if iou >= HIT_IOU else "wrong"


def questions_about(room: Room, seed: int) -> list[Question]:
    """Draw questions about a room, some about what is not there."""
    rng = np.random.default_rng([seed, room.seed])
    requests = sample_requests(room, rng, REQUESTS_PER_ROOM, "train", ABSENT_SHARE)
    masks = [room.mask(request.target_ids) for request in requests]
    return [
        Question(request.text, mask, groups_of(mask))
        for request, mask in zip(requests, masks, strict=True)
    ]


def answers(
    segmenter: Segmenter, room: Room, questions: Sequence[Question], max_looks: int
) -> Iterator[tuple[Question, int, Segmentation, float]]:
    """Ask each question; yield its answers without and with closer looks, and what each took, ms.

    The time is that of a question about a new frame: encoding counts in each.
    """
    started_s = time.perf_counter()
    encoded = segmenter.encode_image(room.image)
    encoding_s = time.perf_counter() - started_s
    for question in questions:
        started_s = time.perf_counter()
        answer = segmenter.segment(encoded, question.text)
        taken_s = encoding_s + time.perf_counter() - started_s
        yield question, 0, answer, 1e3 * taken_s
        if max_looks:
            started_s = time.perf_counter()
            if not is_found(answer):
                answer = look_again(
                    segmenter, room.image, question.text, answer, max_looks=max_looks
                )
            taken_s += time.perf_counter() - started_s
            yield question, max_looks, answer, 1e3 * taken_s


def main() -> None:
    """Ask in every way and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.views", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--model", default="lisa-tiny")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rooms", type=int, default=100)
    parser.add_argument(
        "--seed", type=int, default=0, help="of the first room, and of what is asked"
    )
    parser.add_argument("--looks", type=int, default=7, help="closer looks at most; 0: none at all")
    options = parser.parse_args()

    loaded = LisaEngine.from_pretrained(options.model, device=options.device)
    engines = {view: loaded.set_up_anew(view=view) for view in VIEWS}
    tallies: dict[tuple[str, int], Tally] = defaultdict(Tally)
    for seed in tqdm(range(options.seed, options.seed + options.rooms), unit="room"):
        room = generate_room(seed, camera=CAMERAS[seed % len(CAMERAS)])
        questions = questions_about(room, options.seed)
        for view, engine in engines.items():
            for question, looks, answer, milliseconds in answers(
                engine, room, questions, options.looks
            ):
                tallies[view, looks].add(question, answer, milliseconds)

    results = [_summary(view, looks, tally) for (view, looks), tally in tallies.items()]
    _print_table(results)
    print(
        json.dumps(
            {
                "model": options.model,
                "own_view": loaded.capabilities.view,
                "found_threshold": loaded.capabilities.found_threshold,
                "cameras": [[c.width, c.height, c.focal_px] for c in CAMERAS],
                "rooms": options.rooms,
                "first_seed": options.seed,
                "results": results,
            }
        )
    )


def _summary(view: str, looks: int, tally: Tally) -> dict[str, object]:
    found: dict[str, object] = {"view": view, "look_again": looks}
    for group in PRESENT_GROUPS:
        found[group] = {
            "questions": len(tally.outcomes[group]),
            "right": _rounded(tally.share(group, "right")),
            "wrong": _rounded(tally.share(group, "wrong")),
        }
    found["absent"] = {
        "questions": len(tally.outcomes["absent"]),
        "rejected": _rounded(tally.share("absent", "rejected")),
    }
    found["median_ms"] = round(statistics.median(tally.milliseconds), 1)
    found["mean_ms"] = round(statistics.mean(tally.milliseconds), 1)
    return found


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _print_table(results: Sequence[dict[str, object]]) -> None:
    print(
        f"{'view':<11}{'looks':>5}"
        + "".join(f"{f'{group} right/wrong':>20}" for group in PRESENT_GROUPS)
        + f"{'absent rejected':>17}{'median ms':>11}{'mean ms':>10}"
    )
    for row in results:
        shares = [
            f"{_percent(row[g], 'right')}/{_percent(row[g], 'wrong')}" for g in PRESENT_GROUPS
        ]
        print(
            f"{row['view']:<11}{row['look_again']:>5}"
            + "".join(f"{share:>20}" for share in shares)
            + f"{_percent(row['absent'], 'rejected'):>17}"
            + f"{row['median_ms']:>11}{row['mean_ms']:>10}"
        )


def _percent(counted: object, name: str) -> str:
    assert isinstance(counted, dict)
    share = counted[name]
    return "-" if share is None else f"{share:.1%}"


if __name__ == "__main__":
    raise SystemExit(run(main))
