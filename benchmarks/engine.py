"""What an answer costs, stage by stage, and what caching saves: `python -m benchmarks.engine`.

Within one run, on one machine, the fast path is timed against the slow twin that recomputes
everything for each token, as upstream does. Ratios carry over to other machines, milliseconds do
not. The last line printed is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.command import run
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.inference.reference import Vision, evaluate
from lisa_ros.model.checkpoint import load_checkpoint
from lisa_ros.model.preprocess import clip_input, sam_input
from lisa_ros.simulation.requests import default_request
from lisa_ros.simulation.room import generate_room


def median_ms(action: Callable[[], object], repeats: int) -> float:
    """Median wall time of `repeats` runs after one that warms up, milliseconds."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> None:
    """Time the stages and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engine", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--model", default="lisa-tiny")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()

    loaded = load_checkpoint(options.model)
    engine = LisaEngine(loaded, found_threshold=None)
    room = generate_room(options.seed)
    instruction = default_request(room)
    encoded = engine.encode_image(room.image)
    generated = engine.segment(encoded, instruction, mode="generated")
    embeddings = engine.segment(encoded, instruction).seg_embeddings

    sam = sam_input(room.image, loaded.model.sam.config.image_size)
    view = engine.capabilities.view
    vision = Vision(
        sam.pixels,
        clip_input(room.image, loaded.clip_processor, view),
        sam.resized_hw,
        (room.image.shape[0], room.image.shape[1]),
    )
    ids = engine.prompt_ids(instruction)

    def slow() -> object:
        return evaluate(
            loaded.model,
            ids,
            vision,
            seg_id=loaded.tokenizer.seg_id,
            eos_id=loaded.tokenizer.eos_id,
            max_new_tokens=128,
        )

    stages = {
        "encode an image": lambda: engine.encode_image(room.image),
        "prompted answer, image encoded": lambda: engine.segment(encoded, instruction),
        "generated answer, image encoded": lambda: engine.segment(
            encoded, instruction, mode="generated"
        ),
        "decode a known [SEG] again": lambda: engine.decode(encoded, embeddings),
        "generated answer, nothing cached": slow,
    }
    milliseconds = {name: median_ms(action, options.repeats) for name, action in stages.items()}
    for name, value in milliseconds.items():
        print(f"{name:<36}{value:>10.1f} ms")
    whole = milliseconds["encode an image"] + milliseconds["generated answer, image encoded"]
    slow_ms = milliseconds["generated answer, nothing cached"]
    print(
        json.dumps(
            {
                "model": options.model,
                "threads": torch.get_num_threads(),
                "answer": generated.text,
                "median_ms": {name: round(value, 2) for name, value in milliseconds.items()},
                "slow_over_fast": round(slow_ms / whole, 2),
                "slow_over_fast_image_encoded": round(
                    slow_ms / milliseconds["generated answer, image encoded"], 2
                ),
            }
        )
    )


if __name__ == "__main__":
    raise SystemExit(run(main))
