"""The everyday things that a room may hold: `KINDS` maps a kind's name to how it is built."""

from __future__ import annotations

from lisa_ros.simulation.kinds import electronics, food, household, kitchen, stationery
from lisa_ros.simulation.kinds.spec import KindSpec

KINDS: dict[str, KindSpec] = {
    spec.kind: spec
    for group in (electronics, food, kitchen, stationery, household)
    for spec in group.SPECS
}

# Kinds that are easily taken for each other; rooms often hold both, and absent requests ask for the
# other.
LOOK_ALIKES = (
    ("remote", "phone"),
    ("television", "laptop"),
    ("bowl", "plate"),
    ("apple", "ball"),
    ("apple", "orange"),
    ("orange", "lemon"),
    ("lemon", "banana"),
    ("bottle", "candle"),
    ("mug", "teapot"),
    ("mug", "bowl"),
    ("book", "box"),
    ("pen", "scissors"),
    ("scissors", "keys"),
    ("orange", "ball"),
)

__all__ = ["KINDS", "LOOK_ALIKES", "KindSpec"]
