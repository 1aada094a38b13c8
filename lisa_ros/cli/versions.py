"""Whether the packages that are installed are those that this one declares."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Iterator, Sequence
from importlib import metadata

from packaging.requirements import Requirement

from lisa_ros.cli.installed_files import installed_file
from lisa_ros.diagnosis import Diagnosis, broken, ok, warning

_SUBJECT = "versions"


def check() -> Iterator[Diagnosis]:
    """Compare every declared requirement with what is installed."""
    file = installed_file("pyproject.toml")
    if file is None:
        yield warning(
            _SUBJECT,
            "the ranges are not known: pyproject.toml was not installed",
            "Install the package again (`make setup`, or colcon build).",
        )
        return
    project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    yield from _python(project["requires-python"])
    yield from core_findings([Requirement(text) for text in project["dependencies"]])
    for extra, texts in project["optional-dependencies"].items():
        yield from extra_findings(extra, [Requirement(text) for text in texts])


def core_findings(requirements: Sequence[Requirement]) -> Iterator[Diagnosis]:
    """Say what is missing or out of its range among the packages that nothing works without."""
    wrong = False
    seen = []
    for requirement in _of_this_machine(requirements):
        version = installed_version(requirement.name)
        if version is None:
            wrong = True
            yield broken(
                _SUBJECT, f"{requirement.name} is not installed", f"pip install '{requirement}'"
            )
        elif not requirement.specifier.contains(version, prereleases=True):
            wrong = True
            yield broken(
                _SUBJECT,
                f"{requirement.name} is {version}; expected {requirement.specifier}",
                f"pip install '{requirement}'",
            )
        else:
            seen.append(f"{requirement.name} {version}")
    if not wrong:
        yield ok(_SUBJECT, f"{len(seen)} packages, all within their ranges", seen)


def extra_findings(extra: str, requirements: Sequence[Requirement]) -> Iterator[Diagnosis]:
    """Say what is out of its range among the packages of an extra; being missing is allowed."""
    for requirement in _of_this_machine(requirements):
        version = installed_version(requirement.name)
        if version is not None and not requirement.specifier.contains(version, prereleases=True):
            yield warning(
                _SUBJECT,
                f"{requirement.name} is {version}; the extra {extra!r} expects "
                f"{requirement.specifier}",
                f"pip install '{requirement}'",
            )


def installed_version(name: str) -> str | None:
    """Return the version of an installed distribution; None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _of_this_machine(requirements: Sequence[Requirement]) -> list[Requirement]:
    return [each for each in requirements if each.marker is None or each.marker.evaluate()]


def _python(specifier: str) -> Iterator[Diagnosis]:
    version = platform.python_version()
    if not Requirement(f"python{specifier}").specifier.contains(version, prereleases=True):
        yield broken(
            "python", f"this is Python {version}; expected {specifier}", "Use a newer Python."
        )
