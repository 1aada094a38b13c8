"""Whether the generated interfaces are those of the sources: a clone changes, a build stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lisa_ros.cli.installed_files import checkout, share_folder
from lisa_ros.diagnosis import Diagnosis, broken, ok

_FOLDERS = ("msg", "srv", "action")
_SUBJECT = "interfaces"


def check() -> Iterator[Diagnosis]:
    """Compare the clone's interface files with those that were built; nothing without a clone."""
    clone, share = checkout(), share_folder()
    if clone is None:
        return
    if share is None:
        yield broken(
            _SUBJECT,
            "none were built: there is no share/lisa_ros in this environment",
            "Run `make setup` in the clone, or colcon build and source install/setup.bash.",
        )
        return
    changed = list(changed_files(clone, share))
    if changed:
        yield broken(
            _SUBJECT,
            f"{', '.join(changed)} changed since the interfaces were built",
            "Run `make setup` in the clone again (or colcon build).",
        )
    else:
        yield ok(_SUBJECT, "built from the sources as they are")


def changed_files(clone: Path, share: Path) -> Iterator[str]:
    """Yield the interface files of a clone that were built with other fields, or never."""
    for folder in _FOLDERS:
        for source in sorted((clone / folder).glob(f"*.{folder}")):
            built = share / folder / source.name
            if not built.is_file() or _fields(built) != _fields(source):
                yield f"{folder}/{source.name}"


def _fields(file: Path) -> list[str]:
    """Return what of an interface file ends up on the wire: its lines without comments."""
    lines = (line.partition("#")[0].split() for line in file.read_text("utf-8").splitlines())
    return [" ".join(words) for words in lines if words]
