"""The figures of simulated rooms, as the command prints them: a table and a line of JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.evaluation.figures import figures
from training.evaluation.record import Record

_RATES = ("giou", "ciou", "found_rate", "reject_rate")


def summary(records: Sequence[Record], threshold: float | None) -> dict[str, Any]:
    """The figures over all records; null where nothing was asked that could give one.

    gIoU, cIoU and the target error are over the requests whose target is in the room. Without a
    threshold (an uncalibrated checkpoint) nothing is rejected. n_unlifted counts present requests
    whose predicted mask has no target; a median among them is null.
    """
    found = figures(records, 0.0 if threshold is None else threshold)
    return {
        "giou": _rounded(found["giou_present"]),
        "ciou": _rounded(found["ciou_present"]),
        "found_rate": _rounded(found["found_rate"]),
        "reject_rate": _rounded(found["reject_rate"]),
        "target_error_m_median": _rounded(found["target_error_m_median"]),
        "n_unlifted": found["n_unlifted"],
        "n_present": found["n_present"],
        "n_absent": found["n_absent"],
    }


def table(records: Sequence[Record], threshold: float | None) -> str:
    """The figures by form of request, one line each, and over all."""
    forms = sorted({record.form for record in records})
    rows = [(form, [r for r in records if r.form == form]) for form in forms]
    lines = [
        f"{'form':<12}{'present':>8}{'absent':>8}{'gIoU':>8}{'cIoU':>8}"
        f"{'found':>8}{'reject':>8}{'error mm':>10}"
    ]
    for name, chosen in [*rows, ("all", list(records))]:
        found = summary(chosen, threshold)
        error = found["target_error_m_median"]
        lines.append(
            f"{name:<12}{found['n_present']:>8}{found['n_absent']:>8}"
            + "".join(f"{_cell(found[key], '.3f'):>8}" for key in _RATES)
            + f"{_cell(None if error is None else 1000 * error, '.1f'):>10}"
        )
    return "\n".join(lines)


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
