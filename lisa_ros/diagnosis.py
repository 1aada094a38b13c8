"""What a check of an installation or of a running robot has to say; crosses processes as JSON."""

from __future__ import annotations

import dataclasses
import enum
import json
from dataclasses import dataclass


class Severity(enum.StrEnum):
    """Whether something has to be done: nothing, perhaps, or before anything works."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True)
class Diagnosis:
    """One finding: what was looked at, what was found, and what to do (empty: nothing)."""

    severity: Severity
    subject: str
    finding: str
    cure: str = ""

    def to_line(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_line(cls, line: str) -> Diagnosis:
        """Read such a line. Raises ValueError or TypeError for anything else."""
        values = json.loads(line)
        if not isinstance(values, dict):
            raise ValueError(f"got {line[:80]!r}, expected a JSON object")
        return cls(**{**values, "severity": Severity(values.get("severity"))})


def ok(subject: str, finding: str) -> Diagnosis:
    """Nothing to do."""
    return Diagnosis(Severity.OK, subject, finding)


def warning(subject: str, finding: str, cure: str) -> Diagnosis:
    """It may be meant, or hurt later."""
    return Diagnosis(Severity.WARNING, subject, finding, cure)


def broken(subject: str, finding: str, cure: str) -> Diagnosis:
    """It cannot work like this."""
    return Diagnosis(Severity.BROKEN, subject, finding, cure)
