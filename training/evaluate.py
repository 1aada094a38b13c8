"""Measure a checkpoint on public sets, lab sets and simulated rooms, or compare two of them.

Masks are judged before rejection. For each set and protocol: gIoU, cIoU, no-target accuracy, what
the checkpoint's threshold accepts and rejects, the 3D target error where there is depth, and why
targets are missed. --talk adds what is left of conversation. Figures of rooms alone are over the
requests whose target is in the room. The last line printed is JSON. Any number of torchrun's
processes give the same figures.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from lisa_ros.errors import ConfigurationError, LisaError
from lisa_ros.inference.devices import device_named, dtype_named
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.checkpoint import load_checkpoint, read_settings
from lisa_ros.model.prompts import INSTRUCTION_FIELD
from lisa_ros.model.settings import LisaSettings
from training.evaluation.asked import EvaluationSet
from training.evaluation.attribution import sam_oracle
from training.evaluation.comparison import (
    compared,
    comparison_json,
    comparison_table,
    read_evaluated,
)
from training.evaluation.csv_table import to_csv
from training.evaluation.opening import open_conversations, open_sets
from training.evaluation.options import parse_options, protocols
from training.evaluation.pictures import Picture, choose, pictures
from training.evaluation.record import Record
from training.evaluation.report import comparison_page, evaluation_page
from training.evaluation.results import (
    COMPARISON,
    COMPARISON_PAGE,
    CONVERSATIONS,
    RECORDS,
    REPORT,
    SUMMARY,
    prepare_folder,
    to_json,
    write_results,
)
from training.evaluation.room_set import RoomEvaluation, refuse_known_rooms
from training.evaluation.running import Examiner, evaluate_set
from training.evaluation.summary import printed_rooms, printed_sets, summarised
from training.evaluation.talk import Talker, TalkRecord, talk
from training.ranks import Ranks, joined_ranks

# The exit status where figures say nothing of the model.
DOUBTED = 3  # argparse has 2


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line.

    Returns 0 when all figures are printed and written, `DOUBTED` when they are, but something is
    wrong with the model, such as a tokenizer that is not its own, and 1 when there are none, or
    they could not be written.
    """
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "training.evaluate", *given])
    try:
        options = parse_options(given, __doc__ or "")
        if options.out is not None:
            prepare_folder(options.out)
        if options.compare is not None:
            compare(options)
        else:
            with joined_ranks() as ranks:
                if evaluate(options, command, ranks):
                    return DOUBTED
    except LisaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def compare(options: argparse.Namespace) -> None:
    """Print two evaluations side by side, and store that if there is --out."""
    a, b = (read_evaluated(folder) for folder in options.compare)
    rows = compared(a, b, seed=options.seed)
    found = comparison_json(a, b, rows)
    if options.out is not None:
        page = comparison_page(a, b, rows)
        write_results(options.out, [(COMPARISON_PAGE, page), (COMPARISON, to_json(found))])
    print(comparison_table(a, b, rows))
    print(json.dumps(found))


def evaluate(options: argparse.Namespace, command: str, ranks: Ranks) -> list[str]:
    """Evaluate with all ranks; the first one prints and writes, and returns its doubts.

    Raises:
        LisaError: something cannot be opened, loaded, asked or, after printing, written.

    """
    settings = read_settings(options.model)
    sets = opened(options, settings)
    spoken_of = (
        None if options.talk is None else open_conversations(options.dataset_dir, options.talk)
    )
    device = device_named(options.device)
    loaded = load_checkpoint(options.model, device, dtype_named(options.dtype, device))
    engine = LisaEngine(
        loaded,
        conversation=options.conversation,
        prompt_template=INSTRUCTION_FIELD,  # questions come with their template
        found_threshold=None,
    )
    examiner = Examiner(engine, protocols(options), sam_oracle(loaded.model))
    records = [
        record
        for each in sets
        for record in evaluate_set(examiner, each, at_most=options.images, ranks=ranks)
    ]
    spoken = None
    if spoken_of is not None:
        talker = Talker.of(loaded, engine, options.max_new_tokens)
        spoken = talk(talker, spoken_of, at_most=options.talk_count, ranks=ranks)
    if not ranks.first:
        return []
    found = summarised(command, loaded, engine, records, spoken)
    if options.only_rooms:
        print(printed_rooms(options, records, settings.found_threshold), flush=True)
    else:
        print(printed_sets(found), flush=True)
    if options.out is not None:  # last: a full disk must not take hours of work along
        write(options, examiner, sets, found, records, spoken)
    doubts: list[str] = found["doubts"]
    for doubt in doubts:
        print(f"DOUBTFUL: {doubt}", file=sys.stderr)
    return doubts


def opened(options: argparse.Namespace, settings: LisaSettings) -> list[EvaluationSet]:
    """Everything that the options name, no name twice.

    Raises:
        ConfigurationError: rooms that the checkpoint knows, two sets of one name, ...
        DatasetError: a set is not there, empty or malformed.

    """
    sets = open_sets(options.dataset_dir, options.dataset, options.lab, options.split)
    if options.rooms is not None:
        refuse_known_rooms(settings, range(options.seed, options.seed + options.rooms))
        rooms = RoomEvaluation(
            preset=options.data,
            first_seed=options.seed,
            count=options.rooms,
            phrasings=options.phrasings,
            noise=options.noise,
            template=settings.prompt_template,
        )
        sets.append(rooms)
    names = [each.name for each in sets]
    if len(set(names)) != len(names):
        raise ConfigurationError(
            f"Two sets have the same name: {', '.join(names)}. Name each once."
        )
    return sets


def write(
    options: argparse.Namespace,
    examiner: Examiner,
    sets: Sequence[EvaluationSet],
    found: dict[str, Any],
    records: Sequence[Record],
    spoken: Sequence[TalkRecord] | None,
) -> None:
    """Draw the pictures and write the output folder; `summary.json` is placed last."""
    shown: dict[tuple[str, str], list[Picture]] = {}
    for each in sets:
        for protocol in examiner.protocols:
            key = (each.name, protocol.mode)
            choices = choose([r for r in records if (r.dataset, r.mode) == key], options.seed)
            shown[key] = pictures(examiner, each, protocol, choices)
    files = [(RECORDS, to_csv(Record, records))]
    if spoken is not None:
        files.append((CONVERSATIONS, to_csv(TalkRecord, spoken)))
    files += [(REPORT, evaluation_page(found, shown)), (SUMMARY, to_json(found))]
    write_results(options.out, files)


if __name__ == "__main__":
    sys.exit(main())
