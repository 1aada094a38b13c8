"""The figures of a set of records."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from training.evaluation.record import Record
from training.evaluation.reliability import reliability
from training.metrics import ciou, giou

CLOSE_M = 0.03
# Below this a model that was taught to answer `[SEG]` does not expect it to be asked for.
_EXPECTS_SEG = 0.01

Figures = dict[str, Any]


def set_figures(records: Sequence[Record], threshold: float | None) -> Figures:
    """All figures of one set in one mode: "overall", "forms", "sources" and "reliability".

    threshold: the checkpoint's; None for one that was never calibrated.
    """
    curve = reliability([r.seg_probability for r in records], [r.present for r in records])
    return {
        "overall": figures(records, threshold),
        "forms": _grouped(records, threshold, lambda r: r.form),
        "sources": _grouped(records, threshold, lambda r: r.source),
        "reliability": None if curve is None else dataclasses.asdict(curve),
    }


def figures(records: Sequence[Record], threshold: float | None) -> Figures:
    """The figures over some records; None where nothing was asked that could give one.

    n, n_present, n_absent: questions, those with a target and those without.
    giou, ciou: over all of them, as published: what is not there and not marked has IoU 1.
    giou_present, ciou_present: over those with a target.
    no_target_accuracy: the share of those without a target where nothing is marked.
    target_accuracy: the share of those with one where something is.
    found_rate, reject_rate: the shares of present and absent ones that a threshold on
    seg_probability accepts and rejects; None without a threshold.
    target_error_m_median: infinite errors count; None if the median is one of them.
    target_error_close: the share of those with a depth that are under 3 cm. n_lifted, n_unlifted:
    targets with a depth, and those of them whose predicted mask has no target.
    n_missed, n_not_understood, n_not_seen: targets with IoU below one half, and why.
    """
    present = [r for r in records if r.present]
    absent = [r for r in records if not r.present]
    return {
        "n": len(records),
        "n_present": len(present),
        "n_absent": len(absent),
        "giou": giou(_counts(records)),
        "ciou": ciou(_counts(records)),
        "giou_present": giou(_counts(present)),
        "ciou_present": ciou(_counts(present)),
        "no_target_accuracy": share(r.union == 0 for r in absent),
        "target_accuracy": share(r.predicted_px > 0 for r in present),
        **_decisions(present, absent, threshold),
        **_target_errors(present),
        "n_missed": sum(r.iou < 0.5 for r in present),
        "n_not_understood": sum(r.miss == "did not understand" for r in present),
        "n_not_seen": sum(r.miss == "did not see" for r in present),
    }


def share(hits: Iterable[bool]) -> float | None:
    """How many of the values are true, 0..1; None without any."""
    values = list(hits)
    return sum(values) / len(values) if values else None


def doubts(records: Sequence[Record]) -> list[str]:
    """What makes figures hard to believe, in sentences; usually nothing."""
    found = []
    present = [r for r in records if r.present]
    if present and float(np.median([r.seg_probability for r in present])) < _EXPECTS_SEG:
        found.append(
            f"{present[0].dataset}, {present[0].mode}: the model hardly ever expects to answer "
            f"with [SEG] (median seg_probability below {_EXPECTS_SEG}). Is it a LISA, and are "
            "--conversation and the tokenizer those that it was trained with?"
        )
    return found


def _counts(records: Iterable[Record]) -> list[tuple[int, int]]:
    return [(r.intersection, r.union) for r in records]


def _grouped(
    records: Sequence[Record], threshold: float | None, key: Callable[[Record], str]
) -> dict[str, Figures]:
    names = sorted({key(record) for record in records})
    return {name: figures([r for r in records if key(r) == name], threshold) for name in names}


def _decisions(
    present: Sequence[Record], absent: Sequence[Record], threshold: float | None
) -> Figures:
    if threshold is None:
        return {"found_rate": None, "reject_rate": None}
    return {
        "found_rate": share(r.seg_probability >= threshold for r in present),
        "reject_rate": share(r.seg_probability < threshold for r in absent),
    }


def _target_errors(present: Sequence[Record]) -> Figures:
    errors = [r.target_error_m for r in present if r.target_error_m is not None]
    median = float(np.median(errors)) if errors else None
    return {
        "target_error_m_median": median if median is not None and np.isfinite(median) else None,
        "target_error_close": share(error < CLOSE_M for error in errors),
        "n_lifted": len(errors),
        "n_unlifted": int(np.count_nonzero(np.isinf(errors))),
    }
