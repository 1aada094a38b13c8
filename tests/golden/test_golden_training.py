"""One step of upstream's trainer, computed by ours: batch, trainable names, losses, gradients.

Tolerances: ids, labels and names equal; embeddings within 1e-4; losses within 1e-4 relative;
gradient norms within 1e-3 relative, where the gradient is not itself rounding noise.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_data import GoldenSet
from golden_training import GoldenBatch, load_adapters, split_conversation
from parity import STATE, Comparison, Deviations

from lisa_ros.model.prompts import CONVERSATIONS
from lisa_ros.model.tokenizer import LisaTokenizer
from training.conversation import ConversationTokenizer
from training.losses import LossWeights
from training.objective import LisaObjective
from training.trainable import LoraSettings, choose_trainable

LOSS = 1e-4
GRADIENT_NORM = 1e-3
# Of the whole gradient's norm. The key bias of a softmax has a true gradient of zero, for example:
# what is left of it is rounding.
NOISE = 1e-6
PEFT = "base_model.model."


def test_the_batch_is_upstreams(batch: GoldenBatch, deviations: Deviations) -> None:
    _, collator = batch.load()
    compared = Comparison(deviations)
    samples = batch.samples()
    conversations = [collator.tokenize(turns) for s in samples for turns in s.conversations]
    ids, labels = batch.arrays["train__input_ids"], batch.arrays["train__labels"]
    for number, (ours, their_ids, their_labels) in enumerate(
        zip(conversations, ids, labels, strict=True)
    ):
        length = int(batch.arrays["train__attention_masks"][number].sum())
        compared.equal("training ids", ours.ids[:length], their_ids[:length])
        compared.equal("training labels", ours.labels[:length], their_labels[:length])
    ours = collator(samples)
    clip = ours.clip_pixels[:, :, ::8, ::8].numpy()
    compared.close("training CLIP pixels", clip, batch.arrays["train__images_clip_stride8"], 1e-6)
    compared.equal("training resized sizes", ours.resized_hw, batch.meta["batch"]["resize"])
    compared.finish()


def test_losses_and_gradients_are_upstreams(batch: GoldenBatch, deviations: Deviations) -> None:
    loaded, collator = batch.load()
    model, arrays = loaded.model, batch.arrays
    choose_trainable(model, LoraSettings(dropout=0.0))
    load_adapters(model, arrays)
    learning = {PEFT + name for name, p in model.named_parameters() if p.requires_grad}
    assert learning == set(batch.meta["trainable_after_setup"])

    images = collator(batch.samples())
    objective = LisaObjective(model, collator.tokenize.prefix)
    with torch.no_grad():
        sam, clip = model.encode_sam(images.sam_pixels), model.vision_tower(images.clip_pixels)
    parts = objective(images, sam, clip)
    weights, expected = LossWeights(), batch.meta["loss"]
    weighted = {
        "ce_loss": weights.ce * parts["ce"],
        "mask_bce_loss": weights.bce * parts["bce"],
        "mask_dice_loss": weights.dice * parts["dice"],
    }
    weighted["loss"] = torch.stack(list(weighted.values())).sum()
    compared = Comparison(deviations)
    for name, value in weighted.items():
        relative = value.item() / expected[name] - 1
        compared.close(f"relative {name}", relative, 0.0, LOSS)
    weighted["loss"].backward()
    _compare_gradients(model, batch, compared)
    compared.finish()


def _compare_gradients(model: torch.nn.Module, batch: GoldenBatch, compared: Comparison) -> None:
    named = {PEFT + name: p for name, p in model.named_parameters()}
    total = batch.meta["global_grad_norm"]
    for name, norm in batch.meta["grad_norms"].items():
        gradient = named[name].grad
        if norm is None:
            assert gradient is None, f"{name} has a gradient, upstream none"
            continue
        assert gradient is not None, f"{name} has no gradient"
        difference = abs(gradient.norm().item() - norm)
        allowed = max(GRADIENT_NORM * norm, NOISE * total)
        compared.close("gradient norm, of what is allowed", difference / allowed, 0.0, 1.0)
    for name, values in batch.arrays.items():
        if name.startswith("grad__"):
            ours = named[name.removeprefix("grad__")].grad.numpy()
            compared.close("gradients", ours, values, STATE * max(1.0, float(np.abs(values).max())))


@pytest.mark.parametrize("template", sorted(CONVERSATIONS))
def test_whole_conversations_are_tokenised_as_upstream(
    golden_set: GoldenSet, template: str
) -> None:
    path: Path = golden_set.root / "g4" / f"tokenised_{template}.json"
    if not path.exists():
        pytest.skip(f"{golden_set.root} has no g4: a copy of the inference side only")
    tokenizer = LisaTokenizer.from_pretrained(golden_set.root / "ckpt_a")
    tokenize = ConversationTokenizer(tokenizer, CONVERSATIONS[template])
    for entry in json.loads(path.read_text(encoding="utf-8")):
        ours = tokenize(split_conversation(entry["conversation"], template))
        assert list(ours.ids) == entry["input_ids"], entry["conversation"]
        assert list(ours.labels) == entry["labels"], entry["conversation"]
