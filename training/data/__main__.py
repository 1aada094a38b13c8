"""Look at a dataset before a run: `python -m training.data validate DIR`, `... preview DIR`.

DIR is a lab dataset (it has a dataset.yaml), simulated rooms, or the tree of datasets that upstream
calls `--dataset_dir`, with --kind to say which of them.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import yaml

from lisa_ros.errors import DatasetError, LisaError
from training.data.preview import contact_sheet, draw_samples
from training.data.registry import KINDS, kind_of, open_dataset
from training.data.sample import ImageDataset, Problem


@runtime_checkable
class Measured(Protocol):
    """A dataset that knows more about its pixels than is worth finding out at every start."""

    def measured(self) -> Mapping[str, int]:
        """Numbers by what they measure."""
        ...


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when all went well and no error was found."""
    options = _parse(arguments)
    try:
        kind = options.kind or kind_of(options.dir)
        dataset = open_dataset(kind, options.dir, options.split, dict(options.option))
        if options.command == "validate":
            return validate(dataset)
        sheet = contact_sheet(draw_samples(dataset, options.samples, options.seed))
        sheet.save(options.out, "PNG")
    except (LisaError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def validate(dataset: ImageDataset) -> int:
    """Print every problem as it is found, then what there is; 1 if there was an error."""
    print(f"{dataset.name}: {len(dataset)} images")
    found: Counter[str] = Counter()
    for problem in dataset.problems():
        found[problem.severity] += 1
        print(_told(problem))
    try:
        counts = dict(dataset.counts())
        if isinstance(dataset, Measured):
            counts |= dataset.measured()
        for name, number in counts.items():
            print(f"{name}: {number}")
    except DatasetError as error:
        found["error"] += not found["error"]
        print(f"Not counted: {error}")
    print(f"{found['error']} errors, {found['warning']} warnings")
    return 1 if found["error"] else 0


def _told(problem: Problem) -> str:
    where = "" if str(problem.path) in problem.message else f"{problem.path}: "
    return f"{problem.severity}: {where}{problem.message}"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.data", description=__doc__.partition("\n")[0]
    )
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("validate", help="check everything and print counts; slow")
    sheet = commands.add_parser("preview", help="draw a contact sheet of samples")
    for command in (check, sheet):
        command.add_argument("dir", type=Path, help="a lab dataset, or the tree of datasets")
        command.add_argument(
            "--kind",
            help=f"one of {', '.join(KINDS)}, or one with its splits such as 'refcoco|unc|testA'; "
            "not needed for a lab dataset or rooms",
        )
        command.add_argument("--split", help="such as val; else train, or all of a lab dataset")
        command.add_argument(
            "--option",
            type=_option,
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="such as max_questions=5; an unknown one names those that the kind has",
        )
    sheet.add_argument("--out", type=Path, required=True, help="the picture to write")
    sheet.add_argument("--samples", type=_positive, default=12, help="how many images")
    sheet.add_argument("--seed", type=int, default=0, help="another seed, other images")
    return parser.parse_args(arguments)


def _option(text: str) -> tuple[str, object]:
    """A key and its value, as YAML reads it."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise argparse.ArgumentTypeError(f"{value!r} is not YAML") from error


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is below 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
