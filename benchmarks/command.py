"""Running a benchmark as a command: what is wrong with its input is a sentence, not a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from lisa_ros.errors import LisaError


def run(measure: Callable[[], None]) -> int:
    """Measure; return the exit code: 0, or 1 after an error of ours, whose words go to stderr."""
    try:
        measure()
    except LisaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
