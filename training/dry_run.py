"""`dry_run=true`: two steps of a run with a tiny model, to find what is wrong before the real one.

The weights that the run starts from are checked (every file, every key and shape) without being
read; every dataset is opened; the tokenizer, the template, the datasets, the engine, the validation
and the writing of states are those of the run.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from lisa_ros.model.checkpoint import LoadedLisa
from training.feature_cache import Encoding, predicted_size
from training.frozen_towers import feature_shapes
from training.memory import summary
from training.memory_estimate import estimate
from training.parameter_counts import sizes_of
from training.precision import precision_named
from training.ranks import Ranks
from training.run import Run, finish
from training.run_config import RunConfig
from training.run_data import cached_names
from training.scratch import ClipSizes, LlmSizes, SamSizes, Sizes, random_lisa
from training.start import load_start

_STEPS = 2
_LLM = LlmSizes(64, 96, 2, 4, 4096)
_SAM = SamSizes(64, 16, 24, 2, 2, 40, 2, (1,), 32, 48)


def dry_run(config: RunConfig, ranks: Ranks) -> None:
    """Try a configuration; nothing is written outside a temporary folder.

    Raises:
        LisaError: what the real run would have stopped at.

    """
    with tempfile.TemporaryDirectory(prefix="lisa_dry_run_") as scratch:
        folder = ranks.gather_each(scratch)[0] if ranks.one_machine else scratch
        real = load_start(config.start, Path(scratch) / "tokenizer", config.seed, weights=False)
        if ranks.first:
            print(summary(estimate(config, sizes_of(real), ranks.world)))
        run = Run(_shortened(config, Path(folder)), _tiny(real, config), ranks)
        if ranks.first and config.features is not None:
            images = sum(cached_names(run.mixture, config.data).values())
            dtype = precision_named(config.precision)
            print(predicted_size(Encoding("", "", *feature_shapes(real.model), dtype), images))
        run.go()
        finish(run)
        ranks.wait()
    if ranks.first:
        print("Dry run passed: weights, tokenizer, datasets and settings fit together.")


def _shortened(config: RunConfig, out: Path) -> RunConfig:
    validation = config.validation
    if validation is not None:
        validation = dataclasses.replace(validation, every=1, images=2)
    features = config.features
    if features is not None:
        features = dataclasses.replace(features, folder=str(out / "features"))
    return dataclasses.replace(
        config,
        out=str(out / "run"),
        steps=_STEPS,
        save_every=1,
        validation=validation,
        features=features,
        dry_run=True,
    )


def _tiny(real: LoadedLisa, config: RunConfig) -> LoadedLisa:
    """A random model behind the tokenizer, the template and the pictures' sizes of the real one."""
    clip = real.model.vision_tower.config
    sizes = Sizes(_LLM, ClipSizes(clip.image_size, clip.patch_size, 24, 32, 2, 2), _SAM)
    model = random_lisa(sizes, len(real.tokenizer), real.config.vision_tower, seed=0)
    if config.deepspeed is not None:  # it casts parameters, but not SAM's buffers
        model.to(precision_named(config.precision))
    return dataclasses.replace(real, model=model, config=model.config)
