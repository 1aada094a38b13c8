"""How late a stop is seen: `python -m benchmarks.stopping`.

One question about a new image, in generated mode, is stopped at moments spread evenly over the time
that it takes. A stop is seen between stages and at every token, so that the longest delay is the
longest stage that cannot be interrupted. The last line printed is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.command import run
from lisa_ros.errors import GenerationCanceledError
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.simulation.requests import default_request
from lisa_ros.simulation.room import generate_room


def duration_s(ask: Callable[[Callable[[], bool]], object]) -> float:
    """Return how long the question takes that nobody stops."""
    started_s = time.perf_counter()
    ask(lambda: False)
    return time.perf_counter() - started_s


def delay_ms(ask: Callable[[Callable[[], bool]], object], after_s: float) -> float | None:
    """Return how late a stop is seen that comes `after_s` into the question; None if never."""
    stop_s = time.perf_counter() + after_s
    try:
        ask(lambda: time.perf_counter() >= stop_s)
    except GenerationCanceledError:
        return 1e3 * (time.perf_counter() - stop_s)
    return None


def main() -> None:
    """Stop questions and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.stopping", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--model", default="lisa-tiny")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stops", type=int, default=50)
    options = parser.parse_args()

    engine = LisaEngine.from_pretrained(options.model, device=options.device, dtype="auto")
    room = generate_room(options.seed)
    instruction = default_request(room)

    def ask(should_stop: Callable[[], bool]) -> object:
        return engine.segment(room.image, instruction, mode="generated", should_stop=should_stop)

    stages_ms = engine.segment(room.image, instruction, mode="generated").timings_ms
    whole_s = statistics.median(duration_s(ask) for _ in range(5))
    moments = [whole_s * (i + 0.5) / options.stops for i in range(options.stops)]
    delays = [delay for moment in moments if (delay := delay_ms(ask, moment)) is not None]
    for name, milliseconds in stages_ms.items():
        print(f"{name:<20}{milliseconds:>10.1f} ms")
    print(f"{len(delays)} of {options.stops} stops came before the last stage and were seen after")
    print(f"{'median':<20}{statistics.median(delays):>10.1f} ms")
    print(f"{'most':<20}{max(delays):>10.1f} ms")
    print(
        json.dumps(
            {
                "model": options.model,
                "threads": torch.get_num_threads(),
                "whole_ms": round(1e3 * whole_s, 2),
                "stages_ms": {name: round(value, 2) for name, value in stages_ms.items()},
                "stops": options.stops,
                "seen": len(delays),
                "delay_median_ms": round(statistics.median(delays), 2),
                "delay_most_ms": round(max(delays), 2),
            }
        )
    )


if __name__ == "__main__":
    raise SystemExit(run(main))
