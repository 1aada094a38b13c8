"""The note that a finished set-up leaves for the next one."""

from __future__ import annotations

import json
from pathlib import Path


class Stamp:
    """What the last finished set-up was made from."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str) -> str | None:
        """Read one value; None where nothing is known."""
        # The file may be absent, or cut off by an interruption.
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return values.get(key) if isinstance(values, dict) else None

    def put(self, **values: str | None) -> None:
        """Change the values named, keep the others."""
        kept = {key: self.get(key) for key in ("dependencies", "package", "torch_index")}
        self._path.write_text(json.dumps(kept | values, indent=1), encoding="utf-8")
