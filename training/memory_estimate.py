"""GPU memory and RAM of a rank, by calculation: nothing here is measured.

What is kept through a run is added up; of what is needed at different times (encoding an image,
forward and backward, the optimizer's step) only the largest counts. GB are 10^9 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from training.activation_memory import (
    Formats,
    ImageLoad,
    decoder_bytes,
    encoding_bytes,
    language_bytes,
    logits_bytes,
    mask_loss_bytes,
    token_rows_bytes,
)
from training.parameter_counts import ModelSizes, ParameterCounts, count_parameters
from training.run_config import RunConfig

_FLOAT = 4
# NF4: half a byte, an 8-bit scale for 64 weights, and a float32 one for 256 such scales.
NF4_BYTES = 1 / 2 + 1 / 64 + 4 / (64 * 256)
# DeepSpeed's default `max_live_parameters`: what ZeRO 3 gathers at most, where there is as much.
_LIVE = 1_000_000_000
# Guesses. CUDA's context, its libraries' workspaces, gaps in the allocator's blocks; a process with
# its libraries and datasets' lists; each worker that prepares batches.
_CUDA_BYTES = 1_000_000_000
_PROCESS_BYTES = 4_000_000_000
_WORKER_BYTES = 500_000_000


class Part(NamedTuple):
    """Bytes of a rank, on its GPU and in RAM, for one purpose."""

    name: str
    gpu: int
    ram: int = 0


@dataclass(frozen=True)
class Estimate:
    """Memory of one rank.

    kept: all the time. moments: what each needs beside that, never together. loading: RAM in which
    the weights are read.
    """

    kept: tuple[Part, ...]
    moments: tuple[Part, ...]
    loading: int

    @property
    def gpu(self) -> int:
        """The most bytes of GPU memory at any time."""
        return sum(part.gpu for part in self.kept) + max(part.gpu for part in self.moments)

    @property
    def ram(self) -> int:
        """The most bytes of RAM at any time."""
        running = sum(part.ram for part in self.kept) + max(part.ram for part in self.moments)
        return max(running, self.loading + _PROCESS_BYTES)


def estimate(
    config: RunConfig, sizes: ModelSizes, ranks: int, load: ImageLoad | None = None
) -> Estimate:
    """Calculate the memory of a rank.

    Raises:
        ConfigurationError: the images of a step cannot be shared by so many ranks.

    """
    load = ImageLoad() if load is None else load
    counts, formats = count_parameters(sizes, config.lora), Formats.of(config)
    return Estimate(
        kept=(
            *_weights(config, counts, ranks),
            _optimizer(config, counts, ranks),
            _gradients(config, counts, ranks),
            Part("CUDA; process and workers", _CUDA_BYTES, _process_bytes(config)),
        ),
        moments=(
            Part("encoding an image (SAM)", encoding_bytes(sizes, formats)),
            _forward_and_backward(config, sizes, load, counts, ranks),
            _step(config, counts, ranks),
        ),
        # Whole: what becomes 4-bit does so on the GPU, what ZeRO 3 splits is split from there.
        loading=counts.all * formats.weights,
    )


def _share(config: RunConfig, from_stage: int, ranks: int) -> int:
    """Over how many ranks ZeRO splits what it splits from a stage on."""
    zero = config.deepspeed
    return ranks if zero is not None and zero.zero_stage >= from_stage else 1


def _weights(config: RunConfig, counts: ParameterCounts, ranks: int) -> list[Part]:
    """Weights, in the run's format; float32 without DeepSpeed. ZeRO 3 splits all but the towers.

    ZeRO 3 gathers what it computes with: up to a thousand million parameters at a time.
    """
    zero, one = config.deepspeed, Formats.of(config).weights
    split = _share(config, 3, ranks)
    others = counts.frozen - counts.towers
    named = [("other frozen weights", others * one), ("learning weights", counts.learning * one)]
    if counts.quantised:
        named.insert(0, ("frozen weights in 4 bits", int(counts.quantised * NF4_BYTES)))
    if zero is not None and zero.offload_weights:
        parts = [Part(name, 0, size // split) for name, size in named]
    else:
        parts = [Part(name, size // split) for name, size in named]
    if config.splits_weights:
        live = min(_LIVE, others + counts.learning) * one
        parts.append(Part("weights gathered by ZeRO 3", live))
    return [Part("frozen vision towers", counts.towers * one), *parts]


def _optimizer(config: RunConfig, counts: ParameterCounts, ranks: int) -> Part:
    """AdamW's two averages, float32, and DeepSpeed's float32 copy of what learns.

    Without DeepSpeed the weights are that copy. ZeRO 1 to 3 split both over the ranks, and offload
    moves them to RAM, with the gradient that they meet there and a copy in the run's format.
    """
    zero = config.deepspeed
    if zero is None:
        return Part("AdamW's averages", 2 * _FLOAT * counts.learning)
    share = counts.learning // _share(config, 1, ranks)
    name = "AdamW's averages, float32 copies"
    if zero.offload_optimizer:
        return Part(name, 0, (4 * _FLOAT + Formats.of(config).weights) * share)
    return Part(name, 3 * _FLOAT * share)


def _gradients(config: RunConfig, counts: ParameterCounts, ranks: int) -> Part:
    """Gradients that accumulate, in the format of the weights; split from ZeRO 2 on.

    With offload they leave for RAM as soon as they are made: two of the largest stay, and in RAM
    the sum of the micro-batches.
    """
    zero, one = config.deepspeed, Formats.of(config).weights
    share = counts.learning // _share(config, 2, ranks)
    if zero is not None and zero.zero_stage >= 2 and zero.offload_optimizer:
        return Part("gradients", 2 * counts.largest * one, _further(config, ranks) * share * _FLOAT)
    return Part("gradients", share * one)


def _further(config: RunConfig, ranks: int) -> bool:
    """Whether gradients of a further micro-batch meet accumulated ones."""
    return config.accumulation(ranks) > 1


def _forward_and_backward(
    config: RunConfig, sizes: ModelSizes, load: ImageLoad, counts: ParameterCounts, ranks: int
) -> Part:
    """See `activation_memory`; all of it is there when the backward pass begins.

    From ZeRO 2 on, gradients of a further micro-batch lie beside the accumulated ones.
    """
    zero, one = config.deepspeed, Formats.of(config).weights
    further = 0
    if zero is not None and zero.zero_stage >= 2 and not zero.offload_optimizer:
        further = _further(config, ranks) * counts.learning // _share(config, 2, ranks) * one
    features = sizes.sam.prompt_embed_dim * sizes.sam.grid_size**2
    parts = (
        language_bytes(config, sizes, load),
        logits_bytes(config, sizes, load),
        token_rows_bytes(config, sizes),
        decoder_bytes(config, sizes, load),
        mask_loss_bytes(config, sizes, load),
        config.micro_batch * features * _FLOAT,
        further,
    )
    return Part("forward and backward", sum(parts))


def _step(config: RunConfig, counts: ParameterCounts, ranks: int) -> Part:
    """AdamW's step makes a float32 square root of an average; DeepSpeed a float32 gradient first.

    DeepSpeed gives the gradient itself up for that. Without it, several ranks average theirs in two
    flat copies.
    """
    zero = config.deepspeed
    if zero is None:
        copies = 1 if ranks == 1 else 2
        return Part("the optimizer's step", copies * _FLOAT * counts.learning)
    share = counts.learning // _share(config, 1, ranks)
    if zero.offload_optimizer:
        return Part("the optimizer's step", 0, _FLOAT * share)
    return Part("the optimizer's step", (2 * _FLOAT - Formats.of(config).weights) * share)


def _process_bytes(config: RunConfig) -> int:
    return _PROCESS_BYTES + config.workers * _WORKER_BYTES
