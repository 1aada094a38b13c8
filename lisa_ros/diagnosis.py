"""What a check of an installation or of a running robot has to say; crosses processes as JSON."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Iterable
from dataclasses import dataclass


class Severity(enum.StrEnum):
    """Whether something has to be done: nothing, perhaps, or before anything works."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True)
class Diagnosis:
    """One finding: what was looked at, what was found, and what to do (empty: nothing).

    details: lines with what stands behind it.
    """

    severity: Severity
    subject: str
    finding: str
    cure: str = ""
    details: tuple[str, ...] = ()

    def to_line(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_line(cls, line: str) -> Diagnosis:
        """Read such a line. Raises ValueError or TypeError for anything else."""
        values = json.loads(line)
        if not isinstance(values, dict):
            raise ValueError(f"got {line[:80]!r}, expected a JSON object")
        values["severity"] = Severity(str(values.get("severity")))
        return cls(**{**values, "details": tuple(values.get("details", ()))})


def ok(subject: str, finding: str, details: Iterable[str] = ()) -> Diagnosis:
    """Nothing to do."""
    return Diagnosis(Severity.OK, subject, finding, details=tuple(details))


def warning(subject: str, finding: str, cure: str, details: Iterable[str] = ()) -> Diagnosis:
    """It may be meant, or hurt later."""
    return Diagnosis(Severity.WARNING, subject, finding, cure, tuple(details))


def broken(subject: str, finding: str, cure: str, details: Iterable[str] = ()) -> Diagnosis:
    """It cannot work like this."""
    return Diagnosis(Severity.BROKEN, subject, finding, cure, tuple(details))
