"""How often something happens, from a counter that is read now and then. Pure Python."""

from __future__ import annotations

from collections import deque

_WINDOW_S = 5.0


class RateMeter:
    """The mean rate of a counter over the last five seconds or so. Not thread-safe."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque()

    def read(self, now_s: float, count: int) -> float | None:
        """Take a reading by a clock that never goes back; return Hz, None before the second."""
        if self._readings and count < self._readings[-1][1]:
            self._readings.clear()  # another counter: it begins anew
        self._readings.append((now_s, count))
        while len(self._readings) > 2 and now_s - self._readings[1][0] >= _WINDOW_S:
            self._readings.popleft()
        first_s, first = self._readings[0]
        return (count - first) / (now_s - first_s) if now_s > first_s else None
