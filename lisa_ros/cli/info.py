"""`lisa info [MODEL]`: what a checkpoint is and under which terms; without one, all the terms."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from lisa_ros.cli.licences import LicenceRow, licence_rows, rows_of_model
from lisa_ros.diagnosis import Diagnosis, ok, warning

_NOT_KNOWN = (
    "no row of LICENSES.md names this checkpoint: it has the terms of the weights and the data "
    "that it was made from"
)
_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "vision_tower")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print; return the exit code: 1 where there is no such checkpoint on this machine."""
    parser = argparse.ArgumentParser(prog="lisa info", description=__doc__)
    parser.add_argument("model", nargs="?", default="", help="folder, hub id, or lisa-tiny")
    model = parser.parse_args(arguments).model
    if not model:
        print("\n".join(all_rows(licence_rows())))
        return 0
    try:
        from lisa_ros.cli.checkpoint_facts import read_checkpoint
    except ImportError as error:
        print(f"lisa info cannot look into checkpoints: {error}. See `lisa doctor`.")
        return 1
    facts = read_checkpoint(model)
    print("\n".join(facts_lines(facts)))
    finding = licence(model, facts.settings)
    print("\n".join([f"licence: {finding.finding}", *finding.details]))
    return 0 if facts.folder is not None and not facts.problems else 1


def licence(model: str, settings: Mapping[str, Any] | None = None) -> Diagnosis:
    """Say what is known about the terms of a checkpoint. settings: its lisa.json, read if None."""
    if settings is None:
        from lisa_ros.cli.checkpoint_facts import read_checkpoint

        settings = read_checkpoint(model).settings
    rows = rows_of_model(model, licence_rows())
    own = str(settings.get("licence") or "")
    if rows:
        terms = "; ".join(row.terms for row in rows)
        return ok("licence", f"{model}: {terms}", [f"lisa.json: {own}"] if own else [])
    if own:
        return ok("licence", f"{model}: {own}, as its lisa.json says")
    return warning("licence", f"{model}: {_NOT_KNOWN}", "See `lisa info` for the rows there are.")


def facts_lines(facts: Any) -> Iterator[str]:
    """Yield what the files of a checkpoint say (CheckpointFacts), line by line."""
    yield f"model: {facts.model}"
    if facts.folder is None:
        yield f"folder: {facts.problem}"
        return
    yield f"folder: {facts.folder}"
    yield f"weights: {facts.size_bytes / 2**20:.1f} MiB in {len(facts.weights)} files"
    yield from (f"problem: {problem}" for problem in facts.problems)
    yield from (f"{name}: {facts.config[name]}" for name in _SIZES if name in facts.config)
    if not facts.settings:
        yield "lisa.json: none; a prompted answer never says that something is absent"
    for name, value in facts.settings.items():
        if name == "licence":
            continue  # it comes with the rows of LICENSES.md
        said = value if isinstance(value, str) else json.dumps(value)
        yield f"{name}: {said if len(said) <= 200 else f'{said[:200]}...'}"


def all_rows(rows: Sequence[LicenceRow]) -> Iterator[str]:
    """Yield every row under its heading."""
    if not rows:
        yield "LICENSES.md was not installed; it is at the root of the repository."
    for heading, group in groupby(rows, key=lambda row: row.heading):
        yield f"\n{heading}"
        for row in group:
            yield f"  {row.name}\n      {row.terms}"


if __name__ == "__main__":
    sys.exit(main())
