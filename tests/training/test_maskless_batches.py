"""Batches without masks, of conversations and of things that are absent.

DeepSpeed's ranks wait for each other at every module that splits its weights and at every gradient:
one that has no masks must go through what the others go through.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from run_setup import write_run

from training.collate import ImageBatch
from training.config import load_config
from training.data.sample import Turn
from training.ranks import ALONE
from training.run import Run
from training.run_config import RunConfig
from training.start import load_start
from training.target_head import TargetHead


@pytest.fixture
def run(tmp_path: Path) -> Run:
    config = load_config(RunConfig, write_run(tmp_path, lora=None))
    return Run(config, load_start(config.start, tmp_path / "work", 0), ALONE)


def batches(run: Run) -> tuple[ImageBatch, ImageBatch]:
    """One with masks, and one of the same image without."""
    sample = run.mixture.sample(0)
    talk = ((Turn("What is this?", "A kitchen."),),)
    maskless = dataclasses.replace(sample, conversations=talk, masks=sample.masks[:0])
    return run.collator([sample]), run.collator([maskless])


def gradients_and_modules(run: Run, batch: ImageBatch) -> tuple[dict[str, float], set[str]]:
    """What a step has a gradient for, and which modules computed."""
    called: set[str] = set()
    hooks = [
        module.register_forward_hook(lambda *_, name=name: called.add(name))
        for name, module in run.model.named_modules()
    ]
    run.objective.zero_grad()
    parts = run.objective(batch, *run.towers(batch))
    torch.autograd.backward(run.config.loss.total(parts))
    for hook in hooks:
        hook.remove()
    named = run.model.named_parameters()
    return {n: p.grad.norm().item() for n, p in named if p.grad is not None}, called


def test_they_take_the_same_way_and_move_no_mask(run: Run) -> None:
    some, none = (gradients_and_modules(run, batch) for batch in batches(run))
    assert none[1] == some[1]
    assert none[0].keys() == some[0].keys()
    of_masks = {name for name in some[0] if "mask_decoder" in name or "text_hidden_fcs" in name}
    assert any(some[0][name] for name in of_masks)
    assert not any(none[0][name] for name in of_masks)


def test_they_are_validated_without_a_mask(run: Run) -> None:
    _, maskless = batches(run)
    predicted = run.engine.predict(maskless, *run.towers(maskless))
    assert [len(masks) for masks in predicted.masks] == [0]
    assert predicted.ce.isfinite()


def test_the_temporary_head_is_gone_through_without_any_label() -> None:
    head = TargetHead(8)
    unknown = torch.full((2, 3), -100)
    for embeddings, labels in ((torch.zeros(2, 8), unknown), (torch.zeros(0, 8), unknown[:0])):
        head.zero_grad()
        loss = head.loss(embeddings, labels)
        torch.autograd.backward(loss)
        assert loss.item() == 0
        assert all(p.grad is not None and not p.grad.any() for p in head.parameters())
