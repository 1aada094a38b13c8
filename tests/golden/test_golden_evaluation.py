"""Upstream's metric on given masks (g3), and its whole validation of a checkpoint (g2)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from golden_data import GoldenSet
from golden_training import GoldenBatch
from parity import Comparison, Deviations

from lisa_ros.inference.engine import LisaEngine
from lisa_ros.model.prompts import INSTRUCTION_FIELD
from training.evaluation.asking import Protocol, answered
from training.evaluation.public_sets import open_public_set
from training.evaluation.running import Examiner, evaluate_set
from training.metrics import ciou, giou, pixel_counts

METRIC = 2e-6  # upstream adds up in float32
FLIPPED_PIXELS = 0.0002  # of an image


def test_metrics_are_upstreams(golden_set: GoldenSet, deviations: Deviations) -> None:
    path = golden_set.root / "g3" / "metrics.json"
    if not path.exists():
        pytest.skip(f"{golden_set.root} has no g3: a copy of the inference side only")
    meta = json.loads(path.read_text(encoding="utf-8"))
    counts = []
    with np.load(golden_set.root / "g3" / "pairs.npz") as pairs:
        for number, expected in enumerate(meta["per_pair"]):
            logits, truth = pairs[f"pair{number}__logits"], pairs[f"pair{number}__gt"]
            for predicted, true, one in zip(logits > 0, truth, expected, strict=True):
                intersection, union = pixel_counts(predicted, true)
                assert [intersection, union] == [one["intersection"][1], one["union"][1]]
                counts.append((intersection, union))
    assert len(meta["per_pair"]) == meta["n_pairs"]
    compared = Comparison(deviations)
    compared.close("gIoU", giou(counts, upstream_compat=True), meta["giou"], METRIC)
    compared.close("cIoU", ciou(counts, upstream_compat=True), meta["ciou"], METRIC)
    # Without upstream's epsilons they are what a paper would print all the same.
    compared.close("gIoU without epsilons", giou(counts), meta["giou"], 2e-5)
    compared.close("cIoU without epsilons", ciou(counts), meta["ciou"], 2e-6)
    compared.finish()


def test_validation_is_upstreams(batch: GoldenBatch, deviations: Deviations) -> None:
    """LoRA's B was zero in that pass, so it is the plain checkpoint's."""
    dataset = open_public_set(batch.root / "dataset", "ReasonSeg|val")
    loaded, _ = batch.load()
    engine = LisaEngine(
        loaded,
        conversation=batch.meta["conv_type"],
        prompt_template=INSTRUCTION_FIELD,
        found_threshold=None,
    )
    expected = {
        row["image"].removeprefix("reason_seg/ReasonSeg/"): (number, row)
        for number, row in enumerate(batch.meta["val"])
    }
    compared = Comparison(deviations)
    for index in range(len(dataset)):
        image = dataset.image(index)
        number, row = expected.pop(image.name)
        (asked,) = image.questions
        (conversation,) = row["conversations"]
        assert f"\n {asked.text} " in conversation or f"\n{asked.text} " in conversation
        np.testing.assert_array_equal(asked.truth, batch.arrays[f"val{number}__gt"][0])
        encoded = engine.encode_image(image.pixels)
        predicted = answered(engine, encoded, asked, Protocol("prompted")).predicted
        theirs = batch.arrays[f"val{number}__pred_bin"][0]
        compared.close(
            "validation mask, flipped share", np.mean(predicted != theirs), 0.0, FLIPPED_PIXELS
        )
    assert not expected, f"not in our set: {sorted(expected)}"
    records = evaluate_set(Examiner(engine, (Protocol("prompted"),)), dataset)
    counts = [(r.intersection, r.union) for r in records]
    measured = batch.meta["tensorboard"]
    compared.close("validation gIoU", giou(counts), measured["val/giou"], 2e-3)
    compared.close("validation cIoU", ciou(counts), measured["val/ciou"], 2e-3)
    compared.finish()
