"""Training on cached features is training without a cache, bit for bit."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from random_lisa import CLIP_SIZES, LISA_SIZES, SAM_SIZES, noise_image, random_lisa
from torch import Tensor

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.checkpoint import LoadedLisa
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.prompts import conversation_named
from training.collate import Collator, ImageBatch
from training.conversation import ConversationTokenizer
from training.data.sample import Sample, Turn
from training.feature_cache import FeatureCache
from training.feature_lookup import FeatureLookup
from training.frozen_towers import FrozenTowers, encoding_of
from training.objective import LisaObjective
from training.precision import autocast
from training.trainable import choose_trainable

SIZES = [(40, 60), (64, 48), (30, 90)]
DTYPES = [torch.float32, torch.bfloat16]


@dataclasses.dataclass
class Setting:
    """A model with a collator and towers, which count what they encode."""

    loaded: LoadedLisa
    collator: Collator
    towers: FrozenTowers
    calls: Counter[str]

    def losses(self, samples: list[Sample]) -> dict[str, Tensor]:
        batch = self.collator(samples)
        features = self.towers(batch)
        objective = LisaObjective(self.loaded.model, self.collator.tokenize.prefix)
        with autocast(self.towers.dtype):
            return objective(batch, *features)


def setting(
    folder: Path | None,
    dtype: torch.dtype = torch.float32,
    view: str = "center",
    datasets: frozenset[str] | None = None,
) -> Setting:
    loaded, calls = random_lisa(), Counter[str]()
    model = loaded.model
    choose_trainable(model, None)
    for name, tower in (("sam", model.sam.image_encoder), ("clip", model.vision_tower)):
        tower.register_forward_hook(lambda *_, name=name: calls.update([name]))
    cache = None
    if folder is not None:
        encoding = encoding_of(model, loaded.clip_processor, view, dtype)
        cache = FeatureCache(folder, encoding, max_bytes=10**8, n_images=len(SIZES))
    template = conversation_named(loaded.settings.conversation)
    collator = Collator(
        tokenize=ConversationTokenizer(loaded.tokenizer, template),
        clip_processor=loaded.clip_processor,
        sam_side=model.sam.config.image_size,
        view=view,
        max_length=257,
        lookup=None if cache is None else FeatureLookup(cache, datasets),
    )
    return Setting(loaded, collator, FrozenTowers(model, dtype, cache), calls)


def samples(dataset: str = "lab") -> list[Sample]:
    made = []
    for number, (height, width) in enumerate(SIZES):
        masks = np.zeros((2, height, width), np.uint8)
        masks[0, 5:20, 5:25] = masks[1, 10:25, 8:30] = 1
        conversations = (
            (Turn("Where is the mug?", "It is [SEG]."), Turn("And the ball?", "[SEG].")),
            (Turn("What is this?", "A room."),),
        )
        image = noise_image(height, width, number)
        name = Path(f"recording.sens#{number}")
        made.append(Sample(dataset, name, conversations, masks, image))
    return made


@pytest.mark.parametrize("dtype", DTYPES)
def test_losses_and_gradients_are_the_same_with_and_without(
    tmp_path: Path, dtype: torch.dtype
) -> None:
    results = []
    for folder in (None, tmp_path, tmp_path):  # without, storing, reading
        run = setting(folder, dtype)
        parts = run.losses(samples())
        torch.autograd.backward(sum(parts.values()))
        model = run.loaded.model
        gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        assert "model.mm_projector.weight" in gradients
        results.append({**parts, **gradients})
    assert run.calls == {}
    for other in results[1:]:
        assert other.keys() == results[0].keys()
        assert all(torch.equal(value, other[name]) for name, value in results[0].items())
    assert all(value.abs().sum() > 0 for value in (results[0]["ce"], results[0]["dice"]))


def test_every_image_is_encoded_once_and_a_second_run_encodes_nothing(tmp_path: Path) -> None:
    first = setting(tmp_path)
    for _ in range(2):
        first.losses(samples())
    first.losses(samples()[::-1])
    assert first.calls == {"sam": len(SIZES), "clip": len(SIZES)}
    second = setting(tmp_path)
    batch = second.collator(samples()[:2])
    assert batch.sam_pixels.shape == (0, 3, SAM_SIZES.image_size, SAM_SIZES.image_size)
    assert batch.clip_pixels.shape == (0, 3, CLIP_SIZES.image_size, CLIP_SIZES.image_size)
    sam, clip = second.towers(batch)
    assert len(sam) == len(clip) == 2
    assert second.calls == {}


def test_an_image_that_comes_up_twice_is_encoded_once(tmp_path: Path) -> None:
    run, drawn = setting(tmp_path), samples()[:1] * 2
    batches = [run.collator(drawn), run.collator(drawn)]  # prepared ahead, in the background
    for batch in batches:
        sam, _ = run.towers(batch)
        assert torch.equal(sam[0], sam[1])
    assert run.calls == {"sam": 1, "clip": 1}


def test_a_batch_may_hold_known_and_unknown_images(tmp_path: Path) -> None:
    alone, run = setting(None), setting(tmp_path)
    run.losses(samples()[1:2])
    batch = run.collator(samples())
    assert len(batch.sam_pixels) == 2
    assert _equal(run.towers(batch), alone.towers(alone.collator(samples())))


def test_only_the_named_datasets_are_kept(tmp_path: Path) -> None:
    run = setting(tmp_path, datasets=frozenset({"lab"}))
    for _ in range(2):
        run.losses([*samples("coco")[:1], *samples("lab")[1:]])
    assert run.calls == {"sam": 4, "clip": 4}
    assert len(run.towers.cache) == 2


def test_features_depend_on_nothing_but_the_image() -> None:
    run = setting(None)
    together, _ = run.towers(run.collator(samples()))
    for number, sample in enumerate(samples()):
        alone, _ = run.towers(run.collator([sample]))
        assert torch.equal(alone[0], together[number])


def test_a_damaged_feature_is_encoded_again_and_changes_nothing(tmp_path: Path) -> None:
    expected = setting(tmp_path).losses(samples())
    (data,) = tmp_path.rglob("*.data")
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 16
    data.write_bytes(content)
    run = setting(tmp_path)
    assert all(torch.equal(v, expected[name]) for name, v in run.losses(samples()).items())
    assert run.calls == {"sam": 1, "clip": 1}
    later = setting(tmp_path)
    later.losses(samples())
    assert later.calls == {}


def test_training_mode_does_not_reach_the_towers() -> None:
    drops = dataclasses.replace(CLIP_SIZES, attention_dropout=0.5)
    model = LisaForCausalLM.from_sizes(LISA_SIZES, SAM_SIZES, drops, seed=0)
    pixels = torch.randn(3, 64, 64), torch.randn(3, 28, 28)
    towers = FrozenTowers(model, torch.float32)
    model.eval()
    expected = towers.encode(*pixels)
    model.train()
    assert _equal(towers.encode(*pixels), expected)
    assert model.training


def test_an_outer_autocast_does_not_change_the_features() -> None:
    run = setting(None, torch.float32)
    batch = run.collator(samples())
    expected = run.towers(batch)
    with torch.autocast("cpu", torch.bfloat16):
        assert _equal(run.towers(batch), expected)


def test_features_have_the_dtype_asked_for_whatever_the_weights() -> None:
    for weights in DTYPES:
        run = setting(None, torch.bfloat16)
        run.loaded.model.to(weights)
        sam, clip = run.towers(run.collator(samples()))
        assert sam.dtype == clip.dtype == torch.bfloat16


def test_an_encoding_is_that_of_its_weights_sizes_view_and_dtype() -> None:
    loaded = random_lisa()
    processor, model = loaded.clip_processor, loaded.model

    def digest(view: str = "center", dtype: torch.dtype = torch.float32) -> str:
        return encoding_of(model, processor, view, dtype).digest

    first = digest()
    brighter = dataclasses.replace(processor, mean=(0.5, 0.5, 0.5))
    others = [
        digest(view="letterbox"),
        digest(dtype=torch.bfloat16),
        encoding_of(model, brighter, "center", torch.float32).digest,
    ]
    with torch.no_grad():
        model.lm_head.weight.add_(1.0)
        assert digest() == first  # what learns is no part of it
        for tower in (model.sam.image_encoder, model.vision_tower):
            next(tower.parameters()).flatten()[-1].add_(1e-3)
            others.append(digest())
    model.to(torch.bfloat16)
    others.append(digest())
    assert len({first, *others}) == 1 + len(others)
    again = random_lisa()
    assert encoding_of(again.model, processor, "center", torch.float32).digest == first


def test_weights_that_were_cast_after_the_cache_was_opened_are_refused(tmp_path: Path) -> None:
    run = setting(tmp_path, torch.bfloat16)
    run.loaded.model.to(torch.bfloat16)
    with pytest.raises(ConfigurationError, match=r"bfloat16 on cpu.*float32 on cpu"):
        run.towers(run.collator(samples()))


def test_partitioned_towers_are_refused(tmp_path: Path) -> None:
    run = setting(tmp_path)
    next(run.loaded.model.vision_tower.parameters()).ds_id = 0
    with pytest.raises(ConfigurationError, match="ZeRO 3"):
        run.towers(run.collator(samples()))
    with pytest.raises(ConfigurationError, match="ZeRO 3"):
        encoding_of(run.loaded.model, run.loaded.clip_processor, "center", torch.float32)


def test_cache_and_towers_must_belong_together(tmp_path: Path) -> None:
    run = setting(tmp_path)
    with pytest.raises(ConfigurationError, match="bfloat16"):
        FrozenTowers(run.loaded.model, torch.bfloat16, run.towers.cache)
    batch: ImageBatch = run.collator(samples())
    with pytest.raises(ConfigurationError, match="same one"):
        FrozenTowers(run.loaded.model, torch.float32)(batch)


def _equal(ours: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))
