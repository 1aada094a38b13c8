"""The loop of a training run.

Everything random in a step is a function of the seed, the step and the number of the micro-batch in
it, and the learning rate is one of the step: so a run that was killed anywhere goes on, from its
last state, exactly as it would have gone, and is alike on any number of ranks.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lisa_ros.errors import DatasetError, ModelError
from lisa_ros.model.checkpoint import LoadedLisa
from lisa_ros.model.prompts import conversation_named
from training.collate import Collator, ImageBatch
from training.config import expect
from training.conversation import ConversationTokenizer
from training.engine import engine_of
from training.feature_cache import FeatureCache, predicted_size
from training.feature_lookup import FeatureLookup
from training.frozen_towers import FrozenTowers, encoding_of, towers_of
from training.objective import LisaObjective
from training.precision import precision_named
from training.ranks import Ranks
from training.run_config import RunConfig
from training.run_data import cached_names, micro_batches, open_mixture, open_source
from training.run_lock import only_run_in
from training.run_log import RunLog
from training.run_record import (
    START_WEIGHTS,
    check_same_data,
    identity_of,
    parameter_numbers,
    write_record,
)
from training.run_states import Progress, RunStates
from training.schedule import factor
from training.sources import Source
from training.start import (
    learning_digest,
    learning_objective,
    load_start,
    loading_dtype,
    weights_digest,
)
from training.training_curves import draw_curves
from training.validation import HeldOut
from training.watch import Watch, worsened


def train(config: RunConfig, ranks: Ranks) -> None:
    """A whole run, from the configuration to the picture of its losses.

    Raises:
        LisaError: something that the configuration names is missing or does not fit, or another
            run is in its folder.

    """
    out = Path(config.out)
    with only_run_in(out) if ranks.first else nullcontext():
        work = out / "tokenizer" / f"rank-{ranks.rank}"
        loaded = load_start(config.start, work, config.seed, dtype=loading_dtype(config))
        run = Run(config, loaded, ranks)
        run.go()
        finish(run)
    if ranks.first:
        print(f"Done. Next: python -m training.export {config.out} CHECKPOINT")


def finish(run: Run) -> None:
    """Draw the losses of a run that is done."""
    if run.ranks.first:
        print(f"Losses are drawn in {draw_curves(run.out)}")


class Run:
    """A run, set up: everything that its steps need."""

    def __init__(self, config: RunConfig, loaded: LoadedLisa, ranks: Ranks) -> None:
        self.config, self.ranks = config, ranks
        self.out = Path(config.out)
        self.model = loaded.model
        begun_with = weights_digest(self.model, loading_dtype(config))
        template = conversation_named(loaded.settings.conversation)
        tokenize = ConversationTokenizer(loaded.tokenizer, template)
        fits = config.max_length > len(tokenize.prefix)
        least = f"more than the {len(tokenize.prefix)} ids before any question"
        expect(fits, "max_length", config.max_length, least)
        self.objective = learning_objective(loaded, tokenize.prefix, config)
        self.identity = identity_of(config, learning_digest(self.objective), ranks.world)
        numbers = parameter_numbers(self.model)
        self.facts: dict[str, int | str] = {**numbers, START_WEIGHTS: begun_with}
        _place(self.objective, config, ranks.device)
        self.engine = engine_of(self.objective, config, ranks)
        self.mixture = open_mixture(config.data, config.seed)
        cache = self._cache(loaded)
        self.towers = FrozenTowers(self.model, precision_named(config.precision), cache)
        names = frozenset(cached_names(self.mixture, config.data))
        self.collator = Collator(
            tokenize,
            loaded.clip_processor,
            self.model.sam.config.image_size,
            loaded.settings.view,
            config.max_length,
            None if cache is None else FeatureLookup(cache, names),
            config.early_mask_share,
            math.isqrt(self.model.num_image_tokens) if config.head_weight else None,
        )
        self.held_out = self._held_out()
        self.watch = self._watch()

    def _cache(self, loaded: LoadedLisa) -> FeatureCache | None:
        """Where the frozen towers' features are kept, if they are."""
        config = self.config
        if config.features is None:
            return None
        dtype = precision_named(config.precision)
        encoding = encoding_of(self.model, loaded.clip_processor, loaded.settings.view, dtype)
        images = sum(cached_names(self.mixture, config.data).values())
        if self.ranks.first and not config.dry_run:  # whose model is not the run's
            print(predicted_size(encoding, images))
        return FeatureCache(
            Path(config.features.folder),
            encoding,
            max_bytes=int(config.features.max_gb * 1e9),
            n_images=images,
            rank=self.ranks.rank,
        )

    def _held_out(self) -> HeldOut | None:
        validation = self.config.validation
        if validation is None:
            return None
        return self._asked(validation.data, validation.images)

    def _watch(self) -> Watch:
        validation = self.config.validation
        images = None if validation is None else validation.images
        return Watch([self._asked(source, images) for source in self.config.watched])

    def _asked(self, source: Source, images: int | None) -> HeldOut:
        """As upstream, cut off nothing but what is beyond the model's context."""
        context = self.model.config.max_position_embeddings - self.model.num_image_tokens + 1
        collator = dataclasses.replace(self.collator, max_length=context)
        return HeldOut(open_source(source), images, collator, self.ranks)

    def go(self) -> None:
        """Train to the last step, from the last state if there is one."""
        self.out.mkdir(parents=True, exist_ok=True)
        states = RunStates(self.out, self.ranks)
        progress = states.last(self.identity)
        if progress is None:
            baseline = self.watch.scores(self.engine, self.towers)
            progress = Progress(0, self.identity, baseline=baseline)
        else:
            if self.ranks.first:
                check_same_data(self.out, self.mixture)
            self.engine.load(states.path(progress.step))
        if self.ranks.first:
            write_record(self.out, self.config, self.mixture, self.facts)
        self.objective.train()
        first = progress.step
        batches = micro_batches(self.mixture, self.collator, self.config, self.ranks, first)
        with closing(RunLog(self.out, self.config, first, self.ranks)) as log:
            for step in range(first, self.config.steps):
                log.step(step, self._step(step, batches))
                progress = self._validated(dataclasses.replace(progress, step=step + 1), log)
                if self._due(progress):
                    states.save(progress, self.engine.save)

    def _step(self, step: int, batches: Iterator[ImageBatch]) -> dict[str, float]:
        """One optimisation step; returns the parts of the loss over all its images."""
        config, ranks = self.config, self.ranks
        accumulation = config.accumulation(ranks.world)
        sums: dict[str, Tensor] = {}
        for number in range(accumulation):
            batch = next(batches).to(self.model.device)
            torch.manual_seed(_seed_of(config.seed, step, ranks.rank * accumulation + number))
            parts = self.engine.forward(batch, *self.towers(batch))
            parts["total"] = config.loss.total(parts) + self._taught(parts, step)
            self.engine.backward(parts["total"])
            for name, value in parts.items():
                share = value.detach() / accumulation
                sums[name] = sums[name] + share if name in sums else share
        told = ranks.mean(sums)
        _check_finite(told["total"], step, config)
        settings = config.optimisation
        rate = settings.learning_rate * factor(
            settings.schedule, step, settings.warmup_steps, config.steps
        )
        self.engine.step(rate)
        return {**told, "learning_rate": rate}

    def _taught(self, parts: dict[str, Tensor], step: int) -> Tensor | float:
        """The share of the temporary head: a first push, which is gone at the end."""
        if not self.config.head_weight:
            return 0.0
        fading = self.config.head_weight * (1 - step / self.config.steps)
        return fading * (parts["target"] + parts["patches"])

    def _validated(self, progress: Progress, log: RunLog) -> Progress:
        """The progress with the best score, where a validation is due after this step."""
        validation, step = self.config.validation, progress.step
        if validation is None or self.held_out is None:
            return progress
        if step % validation.every and step != self.config.steps:
            return progress
        score = self.held_out.score(self.engine, self.towers)
        watched = self.watch.scores(self.engine, self.towers)
        log.score(step, {**score.told(), **watched})
        for warning in worsened(progress.baseline, watched):
            log.warn(warning)
        if score.giou is None:
            raise DatasetError(f"{self.held_out.dataset.name} has no mask to validate with.")
        if progress.best_score is not None and score.giou <= progress.best_score:
            return progress
        return dataclasses.replace(progress, best_step=step, best_score=score.giou)

    def _due(self, progress: Progress) -> bool:
        """Whether this state is to be kept: now and then, the best so far, and the last one."""
        regular = progress.step % self.config.save_every == 0
        return regular or progress.step in (progress.best_step, self.config.steps)


def _place(objective: LisaObjective, config: RunConfig, device: torch.device) -> None:
    """Move a run to its device; what ZeRO 3 splits gets there by shares."""
    if config.splits_weights:
        for tower in towers_of(objective.model):
            tower.to(device)
    else:
        objective.to(device)


def _check_finite(total: float, step: int, config: RunConfig) -> None:
    """Raise ModelError for a loss that is no number; of fp16, DeepSpeed passes over such steps."""
    if not math.isfinite(total) and config.precision != "fp16":
        raise ModelError(
            f"The loss of step {step} is {total}: the weights are damaged, or a sample is. The "
            f"last state in {config.out} is from before. Try a lower optimisation.learning_rate, "
            "precision=fp32, or validate the data."
        )


def _seed_of(seed: int, step: int, micro_batch: int) -> int:
    return int(np.random.SeedSequence([seed, step, micro_batch]).generate_state(1)[0])
