"""Fingerprints of what an installation was made from: a second run knows what is still right."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

# What ends up in the installed package; everything else runs from the checkout.
PACKAGE_SOURCES = (
    "CMakeLists.txt", "package.xml", "setup.py", "cmake", "scripts/node.in", "scripts/lisa.in",
    "LICENSES.md", "msg", "srv", "action", "launch", "config",
)  # fmt: skip


def of_dependencies(checkout: Path) -> str:
    """Fingerprint what pip installs: pins, requirements, and the place (a venv cannot be moved)."""
    project = _pyproject(checkout)["project"]
    wanted = {
        key: project[key] for key in ("dependencies", "optional-dependencies", "requires-python")
    }
    wanted["build"] = _pyproject(checkout)["build-system"]["requires"]
    pins = (checkout / "constraints.txt").read_text(encoding="utf-8")
    return _digest(json.dumps(wanted, sort_keys=True), pins, str(checkout))


def of_package(checkout: Path) -> str:
    """Fingerprint what the installed package is built from."""
    pyproject = _pyproject(checkout)
    parts = [json.dumps([pyproject["project"], pyproject["tool"]["setuptools"]], sort_keys=True)]
    for source in PACKAGE_SOURCES:
        root = checkout / source
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                parts += [
                    str(path.relative_to(checkout)),
                    path.read_text(encoding="utf-8", errors="replace"),
                ]
    return _digest(*parts)


def _pyproject(checkout: Path) -> dict:
    return tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
