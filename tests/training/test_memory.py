"""Memory by calculation: against real models, known sizes, and what autograd keeps."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from random_lisa import CLIP_SIZES, LISA_SIZES, SAM_SIZES, random_lisa, random_network
from torch import Tensor, nn

from lisa_ros.model.sam import Sam
from training.activation_memory import (
    Formats,
    ImageLoad,
    decoder_bytes,
    encoding_bytes,
    language_bytes,
)
from training.config import load_config
from training.frozen_towers import towers_of
from training.losses import bce_sum, dice_sum
from training.mask_batch import decode_batch
from training.memory import main, summary, table
from training.memory_estimate import Estimate, Part, estimate
from training.parameter_counts import PUBLISHED, ModelSizes, count_parameters, sizes_of
from training.run_config import DeepSpeedSettings, RunConfig, Start
from training.trainable import LoraSettings, choose_trainable

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
TINY = ModelSizes(LISA_SIZES, SAM_SIZES, CLIP_SIZES)
LEARNING = {
    "lora": LoraSettings(rank=2),
    "new rows": LoraSettings(rank=2, token_rows="new"),
    "all": None,
}


def run_config(**changes: Any) -> RunConfig:
    return RunConfig(out="run", start=Start(lisa="x"), data=(), steps=1, **changes)


def part(found: Estimate, name: str) -> Part:
    (wanted,) = [each for each in (*found.kept, *found.moments) if each.name.startswith(name)]
    return wanted


@pytest.mark.parametrize("lora", LEARNING.values(), ids=LEARNING)
def test_counts_are_those_of_a_real_model(lora: LoraSettings | None) -> None:
    model = random_network()
    choose_trainable(model, lora, (704, 705, 706))
    learning = [p.numel() for p in model.parameters() if p.requires_grad]
    counts = count_parameters(TINY, lora)
    assert counts.learning == sum(learning)
    assert counts.largest == max(learning)
    assert counts.all == sum(p.numel() for p in model.parameters())
    assert counts.towers == sum(p.numel() for t in towers_of(model) for p in t.parameters())


def test_counts_by_hand() -> None:
    decoder = sum(p.numel() for p in random_network().sam.mask_decoder.parameters())
    projection = 2 * (32 * 32 + 32)
    adapters = 2 * 2 * 2 * (32 + 32)  # layers, q and v, rank, both factors
    new = count_parameters(TINY, LoraSettings(rank=2, token_rows="new", quantise="nf4"))
    assert new.learning == decoder + projection + adapters + 2 * 3 * 32
    assert new.quantised == 2 * (4 * 32 * 32 + 3 * 32 * 48)
    every = count_parameters(TINY, LoraSettings(rank=2))
    assert every.learning == decoder + projection + adapters + 2 * 707 * 32
    assert every.largest == 707 * 32


@pytest.mark.slow
def test_counts_of_the_published_sizes() -> None:
    sizes = PUBLISHED["lisa-7b"]
    counts = count_parameters(sizes, LoraSettings(quantise="nf4"))
    assert counts.quantised == 32 * (4 * 4096**2 + 3 * 4096 * 11008)
    llama, vit_l, vit_h = 6_738_415_616, 303_179_776, 641_090_608  # as they were published
    new_rows, adapters = 2 * 3 * 4096, 4_194_304
    joints = (1024 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 256
    assert counts.all == llama + new_rows + adapters + vit_l + vit_h + joints
    assert PUBLISHED["lisa-13b"].image_tokens == 256


def test_sizes_come_from_a_checkpoint() -> None:
    assert sizes_of(random_lisa()) == dataclasses.replace(TINY, language=random_lisa().config)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_zero_divides_what_it_should(stage: int) -> None:
    zero = DeepSpeedSettings(zero_stage=stage)
    config = run_config(deepspeed=zero, images_per_step=8, micro_batch=1)
    counts = count_parameters(TINY, config.lora)
    learning, frozen = counts.learning, counts.frozen
    found = estimate(config, TINY, 4)
    assert part(found, "AdamW").gpu == 12 * (learning // 4)
    share = learning if stage == 1 else learning // 4
    assert part(found, "gradients").gpu == 2 * share
    # Two micro-batches: from ZeRO 2 on, a further share beside the accumulated one.
    once = estimate(dataclasses.replace(config, images_per_step=4), TINY, 4)
    further = part(found, "forward").gpu - part(once, "forward").gpu
    assert further == (0 if stage == 1 else 2 * share)
    assert part(found, "the optimizer").gpu == (8 - 2) * (learning // 4)
    split = 4 if stage == 3 else 1
    assert part(found, "frozen vision").gpu == 2 * counts.towers
    assert part(found, "other frozen").gpu == 2 * (frozen - counts.towers) // split
    assert part(found, "learning").gpu == 2 * learning // split


def test_offload_moves_to_ram() -> None:
    zero = DeepSpeedSettings(3, offload_optimizer=True, offload_weights=True)
    counts = count_parameters(TINY, LoraSettings())
    found = estimate(run_config(deepspeed=zero), TINY, 1)
    assert part(found, "AdamW") == Part("AdamW's averages, float32 copies", 0, 18 * counts.learning)
    assert part(found, "other frozen").gpu == part(found, "learning").gpu == 0
    assert part(found, "frozen vision").gpu == 2 * counts.towers
    assert part(found, "other frozen").ram == 2 * (counts.frozen - counts.towers)
    assert part(found, "gradients").gpu == 4 * counts.largest


def test_without_deepspeed_everything_is_float32() -> None:
    counts = count_parameters(TINY, LoraSettings())
    found = estimate(run_config(), TINY, 1)
    found_frozen = part(found, "frozen vision").gpu + part(found, "other frozen").gpu
    assert found_frozen == 4 * counts.frozen
    assert part(found, "AdamW").gpu == 8 * counts.learning
    assert part(found, "gradients").gpu == 4 * counts.learning


def test_four_bits() -> None:
    config = run_config(deepspeed=DeepSpeedSettings(), lora=LoraSettings(quantise="nf4"))
    sizes = PUBLISHED["lisa-7b"]
    found = part(estimate(config, sizes, 1), "frozen weights in 4 bits").gpu
    per_weight = found / count_parameters(sizes, config.lora).quantised
    assert 8 * per_weight == pytest.approx(4.127, abs=1e-3)  # bits, QLoRA's section 3


def test_the_largest_moment_counts_once() -> None:
    giga = 10**9
    kept = (Part("a", 5 * giga, 1 * giga), Part("b", 7 * giga))
    moments = (Part("c", 3 * giga, 20 * giga), Part("d", 9 * giga, 2 * giga))
    found = Estimate(kept, moments, loading=0)
    assert (found.gpu, found.ram) == ((5 + 7 + 9) * giga, (1 + 20) * giga)
    assert Estimate(kept, moments, loading=30 * giga).ram > 30 * giga


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("lora", LEARNING.values(), ids=LEARNING)
def test_more_images_need_more_and_checkpoints_less(
    lora: LoraSettings | None, checkpointing: bool
) -> None:
    sizes = PUBLISHED["lisa-7b"]
    config = run_config(lora=lora, gradient_checkpointing=checkpointing)

    def needed(**changes: Any) -> tuple[int, int]:
        found = estimate(dataclasses.replace(config, **changes), sizes, 1)
        return part(found, "forward").gpu, found.gpu

    steps, totals = zip(*(needed(micro_batch=n) for n in (1, 2, 4, 8)), strict=True)
    assert list(steps) == sorted(set(steps))
    assert list(totals) == sorted(totals)
    assert needed(max_length=512)[0] > steps[1]
    if checkpointing:
        assert needed(gradient_checkpointing=False)[0] > steps[1]


def test_scores_of_sams_encoder() -> None:
    # ViT-H: 16 heads, 64 x 64 positions; three copies of the scores in two bytes are 1.6 GB.
    found = encoding_bytes(PUBLISHED["lisa-7b"], Formats(2, 2))
    assert 3 * 16 * 4096**2 * 2 < found < 2e9


def kept_by_autograd(model: nn.Module, run: Callable[[], object]) -> int:
    """Bytes that are saved for a backward pass, but for parameters."""
    own = {each.untyped_storage().data_ptr() for each in (*model.parameters(), *model.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        run()
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("lora", [LoraSettings(), None], ids=["lora", "all"])
def test_the_language_model_keeps_what_was_calculated(lora: LoraSettings | None) -> None:
    """On the CPU, where attention is fused too."""
    language = dataclasses.replace(LISA_SIZES, hidden_size=64, intermediate_size=160)
    sizes = dataclasses.replace(TINY, language=language)
    zero = DeepSpeedSettings()
    config = run_config(lora=lora, precision="bf16", deepspeed=zero, max_length=200)
    load = ImageLoad(conversations=1)
    length = sizes.image_tokens + load.text_tokens(config)
    model = random_network(sizes=language).to(torch.bfloat16).train()
    choose_trainable(model, lora)
    states = torch.zeros(2, length, 64, dtype=torch.bfloat16, requires_grad=True)
    mask = torch.ones(2, 1, length, length, dtype=torch.bool).tril()
    found = kept_by_autograd(model, lambda: model.hidden_states(states, attention_mask=mask))
    assert found == pytest.approx(language_bytes(config, sizes, load), rel=0.25)


def test_the_decoder_keeps_what_was_calculated() -> None:
    sam_config = dataclasses.replace(
        SAM_SIZES, prompt_embed_dim=256, image_size=128, decoder_mlp_dim=2048
    )
    sam = Sam(sam_config)
    image, prompts = torch.zeros(1, 256, 16, 16), torch.zeros(3, 1, 256, requires_grad=True)
    image_of = torch.zeros(3, dtype=torch.long)
    found = kept_by_autograd(sam, lambda: decode_batch(sam, image, image_of, prompts))
    sizes = dataclasses.replace(TINY, sam=sam_config)
    config = run_config(micro_batch=1, precision="fp32")
    assert found == pytest.approx(decoder_bytes(config, sizes, ImageLoad(masks=3)), rel=0.15)


def test_the_losses_keep_what_was_calculated() -> None:
    logits = torch.zeros(3, 72, 96, requires_grad=True)
    target = torch.ones(3, 72, 96, dtype=torch.uint8)
    found = kept_by_autograd(
        nn.Identity(), lambda: bce_sum(logits, target) + dice_sum(logits, target)
    )
    assert found == pytest.approx(4 * 4 * logits.numel(), rel=0.01)


PRESETS = {"lab": 32, "lab-24gb": 24, "lab-16gb": 16, "lab-12gb": 12}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_for_one_gpu_fit_and_say_what_they_need(name: str) -> None:
    path = CONFIGS / f"{name}.yaml"
    found = estimate(load_config(RunConfig, path), PUBLISHED["lisa-7b"], 1)
    assert found.gpu <= 0.9 * PRESETS[name] * 1e9
    pattern = r"needs ([\d.]+) GB of GPU memory and (\d+) GB of RAM, by calculation"
    said = re.search(pattern, path.read_text(encoding="utf-8"))
    assert said is not None
    assert said.groups() == (f"{found.gpu / 1e9:.1f}", f"{found.ram / 1e9:.0f}")


PAPER = {
    "lisa-7b": ("lisa-7b", 24),
    "lisa-13b": ("lisa-13b", 40),
    "lisa-13b-explanatory": ("lisa-13b", 40),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PAPER)
def test_the_papers_runs_fit_on_8_gpus_and_say_what_they_need(name: str) -> None:
    path, (sizes, giga) = CONFIGS / f"{name}.yaml", PAPER[name]
    found = estimate(load_config(RunConfig, path), PUBLISHED[sizes], 8)
    assert found.gpu <= 0.9 * giga * 1e9
    pattern = r"each of 8 needs ([\d.]+) GB, all together (\d+) GB of RAM"
    said = re.search(pattern, path.read_text(encoding="utf-8"))
    assert said is not None
    assert said.groups() == (f"{found.gpu / 1e9:.1f}", f"{8 * found.ram / 1e9:.0f}")


@pytest.mark.slow
def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(CONFIGS / "lisa-7b.yaml")
    assert main([path, "--model", "lisa-7b", "--ranks", "8", "micro_batch=1"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"on each of 8 GPUs, \d+ GB of RAM .* by calculation\.", printed)
    assert main([path, "--model", "lisa-7b", "--ranks", "3"]) == 1
    assert "no multiple" in capsys.readouterr().err


def test_figures_are_marked_as_calculated() -> None:
    found = estimate(run_config(), TINY, 1)
    assert summary(found).endswith("by calculation.")
    assert "by calculation" in table(found, 1, 1)
