"""Import modules one after the other and print how each went; a process that may crash of it."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence

# Tells a probe's own lines from what libraries print.
MARK = "lisa-probe: "


def main(names: Sequence[str]) -> int:
    """Print [name, error, version] as JSON for each; the error is empty where it was imported."""
    for name in names:
        version = problem = ""
        try:
            version = str(getattr(importlib.import_module(name), "__version__", ""))
        except Exception as error:  # whatever a library raises is what is asked for
            problem = f"{type(error).__name__}: {error}"
        print(MARK + json.dumps([name, problem, version]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
