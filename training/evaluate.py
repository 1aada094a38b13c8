"""Measure a checkpoint on simulated rooms: `python -m training.evaluate --model lisa-tiny`.

Asks in the prompted mode, as the published protocol does. gIoU, cIoU and the target error are over
the requests whose target is in the room, before rejection; found_rate and reject_rate are what the
checkpoint's threshold makes of present and absent ones. The last line printed is JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from lisa_ros.errors import ConfigurationError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.checkpoint import read_settings
from lisa_ros.model.settings import LisaSettings
from lisa_ros.simulation.room import PRESETS, Room, generate_room
from training.metrics import ciou, giou
from training.room_evaluation import Answer, ask_about_rooms


def main() -> None:
    """Evaluate and print."""
    options = _arguments()
    if options.rooms < 1:
        raise ConfigurationError(f"--rooms is {options.rooms}; at least one is needed.")
    settings = read_settings(options.model)
    refuse_known_rooms(settings, range(options.seed, options.seed + options.rooms))
    threshold = settings.found_threshold
    engine = LisaEngine.from_pretrained(
        options.model,
        device=options.device,
        dtype=options.dtype,
        conversation=options.conversation,
        found_threshold=None,
    )
    sizes: set[str] = set()
    rooms = _noting_sizes(simulated_rooms(options.seed, options.rooms, options.data), sizes)
    answers = list(
        ask_about_rooms(
            engine, rooms, seed=options.seed, split=options.phrasings, noise=options.noise
        )
    )
    print(table(answers, threshold))
    asked = {name: getattr(options, name) for name in ("model", "data", "seed", "rooms")}
    how = {"image_size": sorted(sizes), "phrasings": options.phrasings, "noise": options.noise}
    print(json.dumps({**summary(answers, threshold), **how, **asked}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--model", default="lisa-tiny", help="alias, checkpoint folder or hub id")
    parser.add_argument("--data", default="tabletop", choices=PRESETS, help="which rooms")
    parser.add_argument("--seed", type=int, default=0, help="rooms N, N+1, ... of the simulation")
    parser.add_argument("--rooms", type=int, default=200)
    parser.add_argument("--phrasings", choices=("train", "unseen"), default="train")
    parser.add_argument("--noise", action="store_true", help="lift through a simulated sensor")
    parser.add_argument(
        "--conversation", help="llava_v1 or llava_llama_2; by default what the checkpoint says"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    return parser.parse_args()


def simulated_rooms(first_seed: int, count: int, preset: str) -> Iterator[Room]:
    """The rooms of consecutive seeds, rendered as they are needed, with a progress bar."""
    for seed in tqdm(range(first_seed, first_seed + count), desc="rooms", unit="room"):
        yield generate_room(seed, preset)


def _noting_sizes(rooms: Iterable[Room], sizes: set[str]) -> Iterator[Room]:
    for room in rooms:
        height, width = room.instances.shape
        sizes.add(f"{width}x{height}")
        yield room


def refuse_known_rooms(settings: LisaSettings, seeds: range) -> None:
    """Raise ConfigurationError for rooms that the checkpoint was trained or calibrated on."""
    calibrated = settings.provenance.get("calibrated_on", {})
    for what, known in (
        ("trained", settings.provenance.get("room_seeds")),
        ("calibrated", calibrated.get("room_seeds")),
    ):
        if known and seeds.start <= known[1] and known[0] < seeds.stop:
            raise ConfigurationError(
                f"This checkpoint was {what} on rooms {known[0]} to {known[1]}; evaluate it on "
                "others, for example --seed 0."
            )


def summary(answers: Sequence[Answer], threshold: float | None) -> dict[str, Any]:
    """The figures over all answers; null where nothing was asked that could give one.

    Without a threshold (an uncalibrated checkpoint) nothing is rejected. n_unlifted counts present
    requests whose predicted mask has no target; a median among them is null.
    """
    present = [a for a in answers if a.request.present]
    absent = [a for a in answers if not a.request.present]
    errors = [a.target_error_m for a in present if a.target_error_m is not None]
    accepted = 0.0 if threshold is None else threshold
    return {
        "giou": _rounded(giou([(a.intersection, a.union) for a in present])),
        "ciou": _rounded(ciou([(a.intersection, a.union) for a in present])),
        "found_rate": _rounded(_share(a.seg_probability >= accepted for a in present)),
        "reject_rate": _rounded(_share(a.seg_probability < accepted for a in absent)),
        "target_error_m_median": _rounded(float(np.median(errors)) if errors else None),
        "n_unlifted": int(np.count_nonzero(np.isinf(errors))),
        "n_present": len(present),
        "n_absent": len(absent),
    }


def table(answers: Sequence[Answer], threshold: float | None) -> str:
    """The figures by form of request, one line each, and over all."""
    forms = sorted({a.request.form for a in answers})
    rows = [(form, [a for a in answers if a.request.form == form]) for form in forms]
    lines = [
        f"{'form':<12}{'present':>8}{'absent':>8}{'gIoU':>8}{'cIoU':>8}"
        f"{'found':>8}{'reject':>8}{'error mm':>10}"
    ]
    for name, chosen in [*rows, ("all", list(answers))]:
        figures = summary(chosen, threshold)
        error = figures["target_error_m_median"]
        cells = [figures[key] for key in ("giou", "ciou", "found_rate", "reject_rate")]
        lines.append(
            f"{name:<12}{figures['n_present']:>8}{figures['n_absent']:>8}"
            + "".join(f"{'-' if cell is None else format(cell, '.3f'):>8}" for cell in cells)
            + f"{'-' if error is None else format(1000 * error, '.1f'):>10}"
        )
    return "\n".join(lines)


def _share(hits: Iterable[bool]) -> float | None:
    values = list(hits)
    return sum(values) / len(values) if values else None


def _rounded(value: float | None) -> float | None:
    """Four digits; infinity (a median over targets that could not be lifted) is not JSON."""
    return None if value is None or not np.isfinite(value) else round(value, 4)


if __name__ == "__main__":
    main()
