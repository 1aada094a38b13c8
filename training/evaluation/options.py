"""The command line of `python -m training.evaluate`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from lisa_ros.errors import ConfigurationError
from lisa_ros.inference.segmenter import DEFAULT_MAX_NEW_TOKENS, Mode
from lisa_ros.recordings.dataset_folder import SPLITS
from lisa_ros.simulation.room import PRESETS
from training.arguments import not_negative
from training.evaluation.asking import Protocol

DEFAULT_ROOMS = 200
_DEFAULT_CONVERSATIONS = 200
_EXAMPLES = """\
examples:
  python -m training.evaluate --model lisa-tiny --seed 7 --rooms 200
  python -m training.evaluate --model xinlai/LISA-7B-v1 --dataset-dir dataset \\
      --dataset "ReasonSeg|val" "refcoco|unc|testA" "grefcoco|unc|val" --talk --out out/before
  torchrun --nproc-per-node 8 -m training.evaluate --model runs/mine --lab recordings/kitchen \\
      --split test --out out/after
  python -m training.evaluate --compare out/before out/after
"""


def parse_options(arguments: Sequence[str] | None, description: str) -> argparse.Namespace:
    """Parse and check the options.

    Raises:
        ConfigurationError: a number is out of range, or a tree of which nothing is named.

    """
    options = _parser(description).parse_args(arguments)
    if options.dataset_dir is not None and not options.dataset and options.talk is None:
        raise ConfigurationError(
            f"Nothing in --dataset-dir {options.dataset_dir} is named; add --dataset with sets of "
            "it, --talk, or leave it out."
        )
    nothing_else = not options.dataset and not options.lab and options.talk is None
    if options.rooms is None and nothing_else:
        options.rooms = DEFAULT_ROOMS
    options.only_rooms = nothing_else
    for name in ("rooms", "images", "talk_count", "max_new_tokens"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ConfigurationError(
                f"--{name.replace('_', '-')} is {value}; at least one is needed."
            )
    return options


def protocols(options: argparse.Namespace) -> tuple[Protocol, ...]:
    """How to ask: as --protocol says; by default both, of rooms alone prompted only."""
    chosen = options.protocol or ("prompted" if options.only_rooms else "both")
    modes: tuple[Mode, ...] = ("prompted", "generated")
    wanted = [mode for mode in modes if chosen in (mode, "both")]
    return tuple(Protocol(mode, options.max_new_tokens) for mode in wanted)


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate",
        description=description,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", default="lisa-tiny", help="alias, checkpoint folder or hub id")
    add("--conversation", help="llava_v1 or llava_llama_2; by default what the checkpoint says")
    add("--device", default="auto")
    add("--dtype", default="auto")
    _add_data(parser)
    add(
        "--protocol",
        choices=("prompted", "generated", "both"),
        help="prompted supplies the answer [SEG]., as published; generated lets the model write; "
        "by default both, of rooms alone prompted",
    )
    add("--max-new-tokens", type=int, default=DEFAULT_MAX_NEW_TOKENS, metavar="N")
    add("--images", type=int, metavar="N", help="only so many images of each set, evenly spread")
    add(
        "--seed",
        type=not_negative,
        default=0,
        help="first room; also of random pictures and bootstrap",
    )
    add("--out", type=Path, metavar="DIR", help="write report.html, records.csv, summary.json")
    add(
        "--compare",
        type=Path,
        nargs=2,
        metavar=("A", "B"),
        help="compare two folders that --out wrote, instead of evaluating",
    )
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    public = parser.add_argument_group("public sets")
    public.add_argument("--dataset-dir", type=Path, metavar="DIR", help="as upstream has it")
    public.add_argument(
        "--dataset",
        nargs="+",
        default=[],
        metavar="NAME",
        help='such as "ReasonSeg|val", "refcoco|unc|testA", "refcocog|umd|test", "scannet|val"',
    )
    lab = parser.add_argument_group("lab sets")
    lab.add_argument("--lab", nargs="+", type=Path, default=[], metavar="DIR")
    lab.add_argument("--split", choices=SPLITS, default="val")
    rooms = parser.add_argument_group(f"simulated rooms (by default {DEFAULT_ROOMS}, if no others)")
    rooms.add_argument("--data", default="tabletop", choices=PRESETS, help="which rooms")
    rooms.add_argument("--rooms", type=int, metavar="N", help="rooms SEED, SEED + 1, ...")
    rooms.add_argument("--phrasings", choices=("train", "unseen"), default="train")
    rooms.add_argument("--noise", action="store_true", help="lift through a simulated sensor")
    talk = parser.add_argument_group("conversation retained")
    talk.add_argument(
        "--talk",
        nargs="*",
        metavar="FILE IMAGES",
        help="LLaVA-Instruct conversations that training did not see; without values those in "
        "--dataset-dir that this project's configurations set aside",
    )
    talk.add_argument("--talk-count", type=int, default=_DEFAULT_CONVERSATIONS, metavar="N")
