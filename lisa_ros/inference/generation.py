"""The language model on ids alone: a shared prefix, one prefill per question, cached greedy steps.

Knows nothing of text or masks. `reference` computes the same without any cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import Cache, DynamicCache

from lisa_ros.errors import ModelError
from lisa_ros.inference.finite import check_finite
from lisa_ros.model.lisa import LisaForCausalLM


@dataclass(frozen=True)
class Prefix:
    """What the start of a prompt, image included, leaves in the language model.

    ids: its token ids. keys_values: per layer keys and values [1,heads,positions,head_dim]. Shared
    by all questions about the image; nothing writes to it.
    """

    ids: tuple[int, ...]
    keys_values: tuple[tuple[Tensor, Tensor], ...]


@dataclass(frozen=True)
class Prompted:
    """The language model at the end of a prompt.

    hidden: [D], the last state, which predicts the first token of the answer. cache: belongs to
    this prompt alone and grows with its answer.
    """

    hidden: Tensor
    cache: Cache


class Step(NamedTuple):
    """One token of an answer, the state [D] that predicted it, and its logits [vocab]."""

    token: int
    hidden: Tensor
    logits: Tensor


def encode_prefix(model: LisaForCausalLM, ids: Sequence[int], image_tokens: Tensor) -> Prefix:
    """Run the ids before the question once. image_tokens: [1,N,D], in place of the image's id."""
    embeds = model.embed(_row(model, ids), image_tokens)
    _, cache = model.hidden_states(embeds, past_key_values=DynamicCache(), use_cache=True)
    layers: Any = cache.layers if cache is not None else ()
    return Prefix(tuple(ids), tuple((layer.keys, layer.values) for layer in layers))


def prefill(model: LisaForCausalLM, prefix: Prefix, ids: Sequence[int]) -> Prompted:
    """Run a whole prompt, which starts with the prefix, up to its end.

    Raises ModelError when it does not start with the prefix, or ends with it.
    """
    n_prefix = len(prefix.ids)
    if tuple(ids[:n_prefix]) != prefix.ids or len(ids) == n_prefix:
        raise ModelError(
            f"A prompt of {len(ids)} ids does not go on from the prefix of {n_prefix} ids that was "
            "encoded with the image; encode the image with the engine that asks."
        )
    cache = DynamicCache()
    for layer, (keys, values) in enumerate(prefix.keys_values):
        cache.update(keys, values, layer)  # concatenates, so that the prefix itself stays as it is
    return _advance(model, cache, ids[n_prefix:])


def greedy(
    model: LisaForCausalLM, prompted: Prompted, eos_id: int, max_new_tokens: int
) -> Iterator[Step]:
    """Yield the most likely tokens one by one, until after `eos_id` or max_new_tokens.

    The state of a token is computed only when the next one is asked for: whoever stops asking stops
    the work. Raises ModelError when a logit is not finite.
    """
    for remaining in reversed(range(max_new_tokens)):
        logits = model.logits(prompted.hidden)
        check_finite(logits, "The language model's logits")
        token = int(logits.argmax())
        yield Step(token, prompted.hidden, logits)
        if token == eos_id or remaining == 0:
            return
        prompted = _advance(model, prompted.cache, [token])


def _advance(model: LisaForCausalLM, cache: Cache, ids: Sequence[int]) -> Prompted:
    hidden, grown = model.hidden_states(
        model.embed(_row(model, ids)), past_key_values=cache, use_cache=True
    )
    assert grown is not None
    return Prompted(hidden[0, -1], grown)


def _row(model: LisaForCausalLM, ids: Sequence[int]) -> Tensor:
    return torch.tensor([list(ids)], dtype=torch.long, device=model.device)
