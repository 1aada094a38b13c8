"""What the model says at the end of a prompt: yes or no, the supplied answer, or its own words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from lisa_ros.errors import GenerationCanceledError
from lisa_ros.inference.finite import check_finite
from lisa_ros.inference.generation import Prompted, greedy
from lisa_ros.inference.segmenter import OnText, ShouldStop
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.prompts import REFUSAL, SUPPLIED_ANSWER
from lisa_ros.model.tokenizer import SEG_TOKEN, LisaTokenizer

_SPACE_BEFORE_PUNCTUATION = re.compile(rf"(?<={re.escape(SEG_TOKEN)}) (?=[.,;:!?])")
_SPELT_SEG = f"{SEG_TOKEN[0]} {SEG_TOKEN[1:]}"


@dataclass(frozen=True)
class Answer:
    """text: of the answer. seg_states: [S,D], the states that predict its `[SEG]`, in order."""

    text: str
    seg_states: Tensor


def supplied_answer(prompted: Prompted) -> Answer:
    """Return `[SEG].`, as the published evaluation does: the last state predicts its `[SEG]`."""
    return Answer(SUPPLIED_ANSWER, prompted.hidden[None])


def refusal(prompted: Prompted) -> Answer:
    """Return the answer without a mask."""
    return Answer(REFUSAL, prompted.hidden[None][:0])


def generated_answer(
    model: LisaForCausalLM,
    tokenizer: LisaTokenizer,
    prompted: Prompted,
    max_new_tokens: int,
    on_text: OnText | None,
    should_stop: ShouldStop | None,
) -> Answer:
    """Let the model write its answer; GenerationCanceledError within one token of should_stop."""
    ids: list[int] = []
    states: list[Tensor] = [prompted.hidden[None][:0]]
    text = ""
    for step in greedy(model, prompted, tokenizer.eos_id, max_new_tokens):
        ids.append(step.token)
        if step.token == tokenizer.seg_id:
            states.append(step.hidden[None])
        grown = answer_text(tokenizer, ids)
        if on_text is not None and grown != text:
            on_text(grown)
        text = grown
        raise_if_stopped(should_stop, text)
    return Answer(text, torch.cat(states))


def answer_text(tokenizer: LisaTokenizer, ids: Sequence[int]) -> str:
    """Return the text of an answer: `[SEG]` kept, the closing `</s>` and a half-written letter not.

    Spaced as it was trained ("Sure, [SEG]."), where upstream's decoding writes "Sure, [SEG] .".
    `[SEG]` stands in it exactly as often as its id in the ids: a model that spells the word in
    ordinary pieces is quoted as "[ SEG]", as it would otherwise be the token in the next turn.
    """
    ended = bool(ids) and ids[-1] == tokenizer.eos_id
    parts: list[str] = []
    for is_seg, run in groupby(ids[:-1] if ended else ids, lambda i: i == tokenizer.seg_id):
        if is_seg:
            parts += [SEG_TOKEN for _ in run]
        else:
            parts.append(tokenizer.decode(list(run)).replace(SEG_TOKEN, _SPELT_SEG))
    text = " ".join(parts).rstrip("\N{REPLACEMENT CHARACTER}")
    return _SPACE_BEFORE_PUNCTUATION.sub("", text.strip())


def seg_probability(model: LisaForCausalLM, prompted: Prompted, accepting: Sequence[int]) -> float:
    """Return the probability mass (0..1), at the end of a prompt, of the tokens that accept.

    Raises ModelError when a logit is not finite.
    """
    logits = model.logits(prompted.hidden)
    check_finite(logits, "The language model's logits")
    mass = float(logits.float().softmax(dim=-1)[list(accepting)].sum())
    return min(1.0, mass)  # the sum may exceed 1 by rounding


def raise_if_stopped(should_stop: ShouldStop | None, text: str = "") -> None:
    """Raise GenerationCanceledError when the caller wants no more."""
    if should_stop is not None and should_stop():
        raise GenerationCanceledError(
            f"Stopped on request; the answer so far is {text!r}. Ask again for a whole one.", text
        )
