"""Make a checkpoint of a run: `python -m training.export RUN OUT`.

Takes the best state of the run (the last one where nothing was validated), joins what the ranks
wrote, adds LoRA's adapters to the weights, and writes a directory of the released layout. Then it
reads that directory back and compares masks.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lisa_ros.errors import (
    CheckpointCorruptError,
    CheckpointMismatchError,
    ConfigurationError,
    LisaError,
)
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.checkpoint import LoadedLisa, load_checkpoint, save_checkpoint
from lisa_ros.model.settings import LisaSettings
from lisa_ros.types import Segmentation
from training.checkpoint_folder import check_replaceable
from training.config import load_config
from training.engine import read_learned, take_learned
from training.precision import precision_named
from training.run_config import RunConfig, Start
from training.run_record import CONFIG_FILE, RECORD_FILE, START_WEIGHTS, plain
from training.run_states import newest_state, read_progress
from training.start import load_start, loading_dtype, weights_digest
from training.trainable import choose_trainable, merge_lora

_PROBE_HW = (96, 128)
_PROBE_QUESTION = "Where is the target?"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when the checkpoint is written and answers as the run does."""
    parser = argparse.ArgumentParser(
        prog="python -m training.export", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("run", type=Path, help="the `out` of a run, whether it ended or not")
    parser.add_argument("out", type=Path, help="the directory to write")
    parser.add_argument("--dtype", default="bf16", choices=("bf16", "fp16", "fp32"))
    options = parser.parse_intermixed_args(arguments)
    try:
        export(options.run, options.out, precision_named(options.dtype))
    except LisaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Written and compared: {options.out}. Next: python -m training.evaluate --model ...")
    return 0


def export(run: Path, out: Path, dtype: torch.dtype = torch.bfloat16) -> None:
    """Write the checkpoint directory `out` of the run in the folder `run`.

    Raises:
        ConfigurationError: something is in the place of `out` that must not be lost.
        CheckpointNotFoundError: the run has no state yet.
        CheckpointCorruptError: what was written does not answer as the run's weights do.
        LisaError: what the run started from is no longer there, or has changed.

    """
    state = newest_state(run)
    config = load_config(RunConfig, run / CONFIG_FILE)
    _check_out(out, config.start)
    with tempfile.TemporaryDirectory() as work:
        loaded = load_start(config.start, Path(work), config.seed)
        _check_start(weights_digest(loaded.model, loading_dtype(config)), run, config.start)
        choose_trainable(loaded.model, config.lora, loaded.tokenizer.added_ids)
        take_learned(loaded.model, read_learned(state), state)
        if config.lora is not None:
            merge_lora(loaded.model)
        loaded.model.to(dtype).eval()
        settings = _settings(loaded.settings, config, read_progress(state).step, room_seeds(run))
        save_checkpoint(
            out,
            loaded.model,
            tokenizer_folder=loaded.path,
            clip_processor=loaded.clip_processor,
            settings=settings,
            dtype=dtype,
        )
    expected = _probe(dataclasses.replace(loaded, settings=settings))
    written = _probe(load_checkpoint(out, dtype=dtype))
    if not _equal(expected, written):
        raise CheckpointCorruptError(
            f"{out} was written, but answers otherwise than the run's weights. Check the disk and "
            "export again; please report it if that does not help."
        )


def _check_out(out: Path, start: Start) -> None:
    check_replaceable(out)
    if start.lisa is None or not (out.exists() and Path(start.lisa).exists()):
        return
    if out.samefile(start.lisa):
        raise ConfigurationError(f"The run started from {out}; choose another folder to write.")


def _record(run: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((run / RECORD_FILE).read_text(encoding="utf-8"))
    return record


def _check_start(digest: str, run: Path, start: Start) -> None:
    """Raise CheckpointMismatchError where a run recorded that it began with other weights."""
    if _record(run).get(START_WEIGHTS, digest) != digest:
        raise CheckpointMismatchError(
            f"{start.lisa or start.llava} has changed since {run} started from it, so that what "
            "was learned does not belong to it. Bring back the weights that it was."
        )


def room_seeds(run: Path) -> list[int]:
    """First and last seed of the simulated rooms that a run has learned from; [] without any."""
    datasets = _record(run)["datasets"].values()
    seeds = [d[key] for d in datasets for key in ("first_seed", "last_seed") if key in d]
    return [min(seeds), max(seeds)] if seeds else []


def _settings(
    settings: LisaSettings, config: RunConfig, step: int, seeds: Sequence[int]
) -> LisaSettings:
    """The new checkpoint's lisa.json: another training, so no threshold yet."""
    past = {k: v for k, v in settings.provenance.items() if k != "calibrated_on"}
    if "trained_with" in past:
        past["trained_before"] = [*past.get("trained_before", []), past["trained_with"]]
    made: dict[str, Any] = {"trained_with": plain(dataclasses.asdict(config)), "steps": step}
    known = [*seeds, *past.get("room_seeds", [])]
    if known:
        made["room_seeds"] = [min(known), max(known)]
    return dataclasses.replace(
        settings, found_threshold=None, reliability=(), provenance={**past, **made}
    )


def _probe(loaded: LoadedLisa) -> Segmentation:
    """The answer to a fixed question about a fixed image."""
    image = np.random.default_rng(0).integers(0, 256, (*_PROBE_HW, 3), dtype=np.uint8)
    return LisaEngine(loaded, found_threshold=None).segment(image, _PROBE_QUESTION)


def _equal(ours: Segmentation, theirs: Segmentation) -> bool:
    return (
        np.array_equal(ours.masks, theirs.masks)
        and np.array_equal(ours.seg_embeddings, theirs.seg_embeddings)
        and ours.seg_probability == theirs.seg_probability
    )


if __name__ == "__main__":
    sys.exit(main())
