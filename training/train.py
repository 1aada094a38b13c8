"""Train LISA: `python -m training.train CONFIG.yaml [key=value ...]`.

From a LISA checkpoint, or from LLaVA and SAM as the paper does, on a mixture of datasets. The same
command under `torchrun` or `deepspeed` trains on many GPUs and machines. Run again with the same
configuration, an interrupted run continues where it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lisa_ros.errors import LisaError
from training.config import load_config
from training.dry_run import dry_run
from training.ranks import joined_ranks
from training.run import train
from training.run_config import RunConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when the run reached its last step."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("config", type=Path, help="a file such as those in training/configs")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    # DeepSpeed's launcher hands every process its number this way; it is in LOCAL_RANK too.
    parser.add_argument("--local_rank", type=int, help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args(arguments)
    try:
        config = load_config(RunConfig, options.config, options.overrides)
        with joined_ranks() as ranks:
            if config.dry_run:
                dry_run(config, ranks)
            else:
                train(config, ranks)
    except LisaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
