"""Understands the sentences that this package produces, and judges them by the truth of a room."""

from __future__ import annotations

import functools
import re

from lisa_ros.simulation.material import COLORS
from lisa_ros.simulation.needs import NEEDS
from lisa_ros.simulation.phrase import ANY_KIND, UNDECIDED, Phrase, Verdict, judge_phrase
from lisa_ros.simulation.room import Room
from lisa_ros.simulation.sentences import ANYTHING, RELATIONS, WRAPPERS
from lisa_ros.simulation.vocabulary import ENTRIES
from lisa_ros.simulation.wordings import SPLITS

_ARTICLE = re.compile(r"^(?:the|a|an|my|some) ")


def judge(room: Room, instruction: str) -> Verdict:
    """Whether the thing asked for is there once (FOUND), not at all (NOT_FOUND), or None.

    Understands every sentence of `requests.sample_requests` in both splits and the phrases in them
    alone; case, surrounding space and a final ".", "?" or "!" do not matter.
    """
    phrase = parse(instruction)
    return UNDECIDED if phrase is None else judge_phrase(room, phrase)


def parse(instruction: str) -> Phrase | None:
    """The meaning of a sentence or bare phrase; None when it is not of this language."""
    text = normalised(instruction)
    if text in _needs():
        return _needs()[text]
    for pattern in _wrapper_patterns():
        match = pattern.fullmatch(text)
        phrase = _noun_phrase(match.group("x")) if match else None
        if phrase is not None:
            return phrase
    return None


def normalised(text: str) -> str:
    """The text in lower case with single spaces and without final punctuation."""
    return " ".join(text.lower().split()).rstrip(".?! ")


def _noun_phrase(text: str) -> Phrase | None:
    return _plain(text) or _colored(text) or _related(text)


def _plain(text: str) -> Phrase | None:
    kinds = _nouns().get(_ARTICLE.sub("", text))
    return None if kinds is None else Phrase(kinds)


def _colored(text: str) -> Phrase | None:
    color, _, noun = _ARTICLE.sub("", text).partition(" ")
    if color not in COLORS:
        return None
    kinds = ANY_KIND if noun in ANYTHING.train + ANYTHING.unseen else _nouns().get(noun)
    return None if kinds is None else Phrase(kinds, color=color)


def _related(text: str) -> Phrase | None:
    for relation, wording in _relation_wordings():
        head, found, tail = text.partition(f" {wording} ")
        thing, anchor = _plain(head), _plain(tail)
        if found and thing is not None and anchor is not None:
            return Phrase(thing.kinds, relation=relation, anchor=anchor.kinds)
    return None


@functools.cache
def _nouns() -> dict[str, frozenset[str]]:
    return {
        normalised(wording): entry.kinds
        for entry in ENTRIES
        for split in SPLITS
        for wording in (*entry.names.of(split), *entry.descriptions.of(split))
    }


@functools.cache
def _needs() -> dict[str, Phrase]:
    return {
        normalised(sentence): Phrase(need.kinds, need.substitutes)
        for need in NEEDS
        for split in SPLITS
        for sentence in need.all_sentences().of(split)
    }


@functools.cache
def _relation_wordings() -> tuple[tuple[str, str], ...]:
    """(relation, wording), longer wordings first: "to the left of" holds "left of"."""
    pairs = [
        (relation, normalised(wording))
        for relation, wordings in RELATIONS.items()
        for split in SPLITS
        for wording in wordings.of(split)
    ]
    return tuple(sorted(pairs, key=lambda pair: -len(pair[1])))


@functools.cache
def _wrapper_patterns() -> tuple[re.Pattern[str], ...]:
    texts = [
        text
        for split in SPLITS
        for wrapper in WRAPPERS[split]
        for text in (wrapper.text, wrapper.plural)
        if text is not None
    ]
    return tuple(
        re.compile(re.escape(normalised(text)).replace(r"\{x\}", "(?P<x>.+)")) for text in texts
    )
