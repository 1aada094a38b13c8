"""How the answers so far ended and what the last ones took, for /diagnostics. Pure Python."""

from __future__ import annotations

import statistics
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from lisa_ros.nodes.answers import Answer
from lisa_ros.types import Status

_KEPT = 20


@dataclass(frozen=True)
class AnswerStatistics:
    """How answers ended and how long the last ones took.

    by_status: answers since the start, those that following gave apart. latency_ms: by stage,
    (median, longest). transform_problem: of the last failed transform, empty once a later answer
    was FOUND. total_ms: the same as latency_ms for all stages together, None before the first.
    """

    by_status: Mapping[str, int] = field(default_factory=dict)
    latency_ms: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    total_ms: tuple[float, float] | None = None
    transform_problem: str = ""


class AnswerLog:
    """Takes every answer. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_status: Counter[str] = Counter()
        self._timings_ms: deque[Mapping[str, float]] = deque(maxlen=_KEPT)
        self._transform_problem = ""

    def add(self, answer: Answer) -> None:
        """Take an answer; those that nobody worked on, or reasoned about, have no latencies."""
        with self._lock:
            followed = ", followed" if answer.followed else ""
            self._by_status[f"{answer.status.name}{followed}"] += 1
            if answer.timings_ms and not answer.followed:
                self._timings_ms.append(dict(answer.timings_ms))
            if answer.status is Status.TRANSFORM_FAILED:
                self._transform_problem = answer.reason
            elif answer.status is Status.FOUND:
                self._transform_problem = ""

    def statistics(self) -> AnswerStatistics:
        """Return what is known."""
        with self._lock:
            timings, by_status = list(self._timings_ms), dict(self._by_status)
            problem = self._transform_problem
        stages = dict.fromkeys(stage for timing in timings for stage in timing)
        latency_ms = {
            str(stage): _spread([timing[stage] for timing in timings if stage in timing])
            for stage in stages
        }
        # "reasoning.prefill" is a part of "reasoning".
        totals = [sum(ms for stage, ms in timing.items() if "." not in stage) for timing in timings]
        return AnswerStatistics(by_status, latency_ms, _spread(totals) if totals else None, problem)


def _spread(values: list[float]) -> tuple[float, float]:
    return statistics.median(values), max(values)
