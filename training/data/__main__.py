"""Datasets before a run: `python -m training.data validate DIR`, `... preview DIR`.

DIR is a lab dataset (it has a dataset.yaml), simulated rooms, or the tree of datasets that upstream
calls `--dataset_dir`, with --kind to say which of them. `... import-labelme DIR OUT` makes a lab
dataset of a folder of labelme's files, `... export-rooms ROOMS OUT` of simulated rooms.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import yaml

from lisa_ros.durable_files import replacing
from lisa_ros.errors import ConfigurationError, DatasetError, LisaError
from lisa_ros.recordings.dataset_folder import About
from lisa_ros.recordings.labelme_import import import_labelme, plan_import
from training.arguments import not_negative, positive
from training.data.preview import contact_sheet, draw_samples
from training.data.registry import KINDS, kind_of, open_dataset
from training.data.room_export import Frames, export_rooms
from training.data.room_requests import KindChoice
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
    for stream in (sys.stdout, sys.stderr):  # names of files need not be text
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        if options.command == "import-labelme":
            return import_folder(options.dir, options.out, options.licence, options.val)
        if options.command == "export-rooms":
            kinds = KindChoice(only=frozenset(options.kinds), without=frozenset(options.without))
            frames = Frames(options.frames, options.val_frames, kinds, options.requests)
            export_rooms(options.dir, options.out, frames, options.seed)
            return _written(options.frames + options.val_frames, options.out)
        kind = options.kind or kind_of(options.dir)
        dataset = open_dataset(kind, options.dir, options.split, dict(options.option))
        if options.command == "validate":
            return validate(dataset)
        if options.command == "targets":
            return write_targets(dataset, options.out)
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


def write_targets(dataset: ImageDataset, out: Path) -> int:
    """Write the table of `target_table`, and print what is in it.

    Raises:
        ConfigurationError: not ScanNet, or `out` is a folder.
        DatasetError: a file is missing or malformed.

    """
    # As in `registry`: other datasets do not pay for ScanNet's imports.
    from training.data.scannet.dataset import ScanNetDataset
    from training.data.scannet.target_table import target_rows, write_csv

    if not isinstance(dataset, ScanNetDataset):
        raise ConfigurationError(
            f"{dataset.name} has no 3D targets of its own; --kind scannet and scannet_25k have."
        )
    if out.is_dir():  # before hours of work, not after
        raise ConfigurationError(f"--out {out} is a folder; name the file to write.")
    with replacing(out) as file:
        written = write_csv(target_rows(dataset), file)
    print(f"{written.objects} objects in {len(dataset)} frames, {written.lifted} lifted")
    if written.distances_m:
        median = 1000 * float(np.median(written.distances_m))
        measured = f"of {len(written.distances_m)} targets"
        print(f"median distance {measured} to the annotated mesh: {median:.1f} mm")
    else:
        print("no target could be held against an annotated mesh")
    print(f"written: {out}")
    return 0


def import_folder(folder: Path, out: Path, licence: str, val: Sequence[str]) -> int:
    """Print what is wrong with labelme's files; if that is no error, write the lab dataset.

    Raises:
        DatasetError: no such folder, or `out` cannot be written.

    """
    plan = plan_import(folder, val)
    for finding in plan.findings:
        print(_told(Problem(*finding)))
    if plan.errors:
        print(f"{plan.errors} errors; nothing was written")
        return 1
    import_labelme(plan, out, About(out.resolve().name, "1", licence))
    if not val:
        print("All samples are for training; --val names a recording to validate with.")
    return _written(len(plan.samples), out)


def _written(samples: int, out: Path) -> int:
    print(f"{samples} samples in {out}. Look at them: python -m training.data validate {out}")
    return 0


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
    table = commands.add_parser("targets", help="lift what ScanNet annotates to 3D; slow")
    for command in (check, sheet, table):
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
    table.add_argument("--out", type=Path, required=True, help="the CSV file to write")
    sheet.add_argument("--samples", type=positive, default=12, help="how many images")
    sheet.add_argument("--seed", type=not_negative, default=0, help="another seed, other images")
    _add_import(commands.add_parser("import-labelme", help="make a lab dataset of labelme's files"))
    _add_export(commands.add_parser("export-rooms", help="make a lab dataset of simulated rooms"))
    return parser.parse_args(arguments)


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", type=Path, help="a folder with labelme's files, in folders or not")
    parser.add_argument("out", type=Path, help="the folder of the new dataset")
    parser.add_argument("--licence", default="unknown", help="under which others may use it")
    parser.add_argument(
        "--val",
        action="append",
        default=[],
        metavar="FOLDER",
        help="a folder in DIR, a recording of its own, to validate with; may be repeated",
    )


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", type=Path, help="a folder of lisa_ros.simulation.generate")
    parser.add_argument("out", type=Path, help="the folder of the new dataset")
    parser.add_argument("--frames", type=positive, required=True, help="how many to train with")
    parser.add_argument(
        "--val-frames", type=not_negative, default=0, help="how many to validate with"
    )
    parser.add_argument("--kinds", type=_names, default=(), help="ask for these only: mug,book")
    parser.add_argument("--without", type=_names, default=(), help="never speak of these kinds")
    parser.add_argument("--requests", type=positive, default=3, help="about a frame, at most")
    parser.add_argument("--seed", type=not_negative, default=0, help="another seed, other frames")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _option(text: str) -> tuple[str, object]:
    """A key and its value, as YAML reads it."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise argparse.ArgumentTypeError(f"{value!r} is not YAML") from error


if __name__ == "__main__":
    sys.exit(main())
