"""What was found so far: one JSON file, written after every trial, so that a next sitting goes on.

    {"setup": {...}, "before": {SET: figures}, "trials": {NAME: {"frames", "seed", SET: figures}}}

SET is `NEW` or `OLD`; figures are those of `set_figures_of`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.lab_finetune.trial import Trial
from lisa_ros.durable_files import replace_json
from lisa_ros.errors import ConfigurationError, DatasetError
from training.evaluation.figures import figures, set_figures
from training.evaluation.record import Record

NEW, OLD = "new kinds", "old kinds"
# What says nothing but the kind; a colour or a neighbour is found without knowing the kind.
KIND_ALONE = ("name", "description", "implicit")
Figures = dict[str, Any]
Results = dict[str, Any]


def collected(
    path: Path,
    setup: Mapping[str, Any],
    trials: Iterable[Trial],
    before: Callable[[], Figures],
    after: Callable[[Trial], Figures],
) -> Results:
    """Do what the file does not hold yet, and return all that it holds then.

    setup: what all figures of one file have in common. before, after: figures by set, of the base
    and of a trial.

    Raises:
        ConfigurationError: the file is of another setup; names what differs.
        DatasetError: it is no such file.
        LisaError: whatever `before` and `after` raise; what was done before is kept.

    """
    results = _opened(path, setup)
    if "before" not in results:
        results["before"] = before()
        replace_json(path, results)
    for trial in trials:
        if trial.name not in results["trials"]:
            results["trials"][trial.name] = {**trial._asdict(), **after(trial)}
            replace_json(path, results)
    return results


def set_figures_of(records: Sequence[Record]) -> Figures:
    """The gIoU of requests for what is there, and their number.

    Of all, of those that say nothing but the kind, by form of request, and by kind.
    """
    found = set_figures(records, threshold=None)
    return {
        **_brief(found["overall"]),
        "kind_alone": _brief(figures([r for r in records if r.form in KIND_ALONE], None)),
        "forms": {name: _brief(each) for name, each in found["forms"].items()},
        "kinds": {name: _brief(each) for name, each in found["sources"].items()},
    }


def _brief(found: Mapping[str, Any]) -> Figures:
    return {"giou": found["giou_present"], "n": found["n_present"]}


def _opened(path: Path, setup: Mapping[str, Any]) -> Results:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return {"setup": dict(setup), "trials": {}}
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        known, _ = results["setup"], results["trials"]
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(
            f"{path} does not hold results of this experiment: {error!r}. Move it away."
        ) from error
    differing = sorted(key for key in {*known, *setup} if known.get(key) != setup.get(key))
    if differing:
        raise ConfigurationError(
            f"{path} is of another {' and another '.join(differing)}. Go on with what it was begun "
            "with, or choose another --out."
        )
    assert isinstance(results, dict), "it has keys"
    return results
