"""When to log that the camera gives no frames: not at once, and not every second. Pure Python."""

from __future__ import annotations

# Discovery and the first frames take a moment; a person who looks at the log should not wait.
_FIRST_S = 5.0
_AGAIN_S = 30.0


class CameraAlarm:
    """Turns what /diagnostics says of the camera every second into a few warnings."""

    def __init__(self) -> None:
        self._next_s: float | None = None

    def warning(self, now_s: float, problem: str) -> str:
        """Return what to log now, empty for nothing. problem: empty while all is well."""
        if not problem:
            self._next_s = None
            return ""
        if self._next_s is None:
            self._next_s = now_s + _FIRST_S
        if now_s < self._next_s:
            return ""
        self._next_s = now_s + _AGAIN_S
        return f"no frame to answer from: {problem}"
