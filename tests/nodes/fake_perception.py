"""The real perception node with the fake backend, run as a process by the tests.

The model parameter says how loading goes: "broken" fails, "slow" takes some seconds, "dumb" loads
but gives no numbers.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from lisa_ros.errors import CheckpointNotFoundError
from lisa_ros.nodes.parameters import PerceptionParameters
from lisa_ros.nodes.perception import PerceptionNode
from lisa_ros.nodes.process import run_node
from lisa_ros.nodes.segmenters import OnStep, SetUp

sys.path.insert(0, str(Path(__file__).parents[1]))


def load(parameters: PerceptionParameters, on_step: OnStep) -> SetUp:
    on_step("looking for the fake")
    if parameters.model == "broken":
        raise CheckpointNotFoundError("no checkpoint 'broken'; expected a folder with config.json")
    if parameters.model == "slow":
        time.sleep(5.0)
    from moody_segmenter import MoodySegmenter  # late, as the real backend: it imports torch

    return lambda now: MoodySegmenter(now.found_threshold, dumb=now.model == "dumb")


if __name__ == "__main__":
    raise SystemExit(run_node(lambda: PerceptionNode(load), num_threads=4))
