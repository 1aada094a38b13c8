"""The one comparison behind every promise of parity: golden arrays, slow twin, fast path.

Every deviation is remembered, every failure listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

STATE = 1e-4  # hidden states, embeddings, features, token logits
MASK_LOGIT = 2e-3
DIFFERENT_PIXELS = 2e-4  # share of a mask's pixels that may differ, each within MASK_LOGIT of 0;
# of an image with fewer than 5000 pixels, which has no such share, one
PIXEL = 1e-6  # normalised input pixels


@dataclass
class Deviations:
    """The largest deviation of each quantity, its tolerance, and how many arrays there were."""

    rows: dict[str, tuple[float, float, int]] = field(default_factory=dict)

    def add(self, quantity: str, deviation: float, tolerance: float) -> None:
        largest, _, count = self.rows.get(quantity, (0.0, tolerance, 0))
        self.rows[quantity] = (max(largest, float(deviation)), float(tolerance), count + 1)

    def merge(self, rows: Mapping[str, tuple[float, float, int]]) -> None:
        for quantity, (deviation, tolerance, number) in rows.items():
            largest, _, count = self.rows.get(quantity, (0.0, tolerance, 0))
            self.rows[quantity] = (max(largest, deviation), tolerance, count + number)

    def table(self) -> list[str]:
        width = max(len(quantity) for quantity in self.rows)
        lines = [f"{'quantity':{width}}  largest    tolerance  arrays"]
        for quantity, (largest, tolerance, count) in self.rows.items():
            allowed = "equal" if tolerance == 0 else f"{tolerance:.1e}"
            lines.append(f"{quantity:{width}}  {largest:.1e}    {allowed:9}  {count}")
        return lines


@dataclass
class Comparison:
    """Compares arrays that belong together; NaN and wrong shapes are failures."""

    deviations: Deviations
    failures: list[str] = field(default_factory=list)

    def equal(self, quantity: str, got: npt.ArrayLike, expected: npt.ArrayLike) -> None:
        got, expected = np.asarray(got), np.asarray(expected)
        if got.shape != expected.shape:
            self.failures.append(f"{quantity}: shape {got.shape}, expected {expected.shape}")
            return
        different = int((got != expected).sum())
        self.deviations.add(quantity, float(different), 0.0)
        if different:
            self.failures.append(f"{quantity}: {different} of {expected.size} values differ")

    def close(
        self, quantity: str, got: npt.ArrayLike, expected: npt.ArrayLike, tolerance: float
    ) -> None:
        got = np.asarray(got, dtype=np.float64)
        expected = np.asarray(expected, dtype=np.float64)
        if got.shape != expected.shape:
            self.failures.append(f"{quantity}: shape {got.shape}, expected {expected.shape}")
            return
        deviation = float(np.abs(got - expected).max(initial=0.0))
        self.deviations.add(quantity, deviation, tolerance)
        if not deviation <= tolerance:
            self.failures.append(f"{quantity}: off by {deviation:.3g}, allowed {tolerance:g}")

    def masks(
        self, quantity: str, got: npt.ArrayLike, logits: npt.ArrayLike, expected: npt.ArrayLike
    ) -> None:
        """Compare masks bool[S,H,W]: few pixels may differ, and only where the logit is near 0."""
        got, logits, expected = np.asarray(got), np.asarray(logits), np.asarray(expected)
        if not got.shape == logits.shape == expected.shape:
            self.failures.append(
                f"{quantity}: shapes {got.shape}, {logits.shape} (logits), expected "
                f"{expected.shape}"
            )
            return
        different = got != expected
        clear = int((different & ~(np.abs(logits) < MASK_LOGIT)).sum())
        self.equal(f"{quantity}: clearly different pixels", clear, 0)
        allowed = max(1, int(DIFFERENT_PIXELS * different[0].size)) if len(different) else 0
        most = max((int(d.sum()) for d in different), default=0)
        self.deviations.add(f"{quantity}: different pixels", most, allowed)
        if most > allowed:
            self.failures.append(f"{quantity}: {most} pixels differ, allowed {allowed}")

    def finish(self) -> None:
        assert not self.failures, "\n".join(self.failures)
