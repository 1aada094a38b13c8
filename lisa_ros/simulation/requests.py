"""Draws requests for a room: what is there exactly once, and what is not there at all."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np

from lisa_ros.errors import SimulationError
from lisa_ros.simulation.kinds import KINDS, LOOK_ALIKES
from lisa_ros.simulation.language import normalised
from lisa_ros.simulation.material import COLORS
from lisa_ros.simulation.needs import NEEDS, Need
from lisa_ros.simulation.phrase import ANY_KIND, Phrase, judge_phrase
from lisa_ros.simulation.room import Room, RoomObject
from lisa_ros.simulation.sentences import ANYTHING, OPENINGS, RELATIONS, WRAPPERS, is_plural
from lisa_ros.simulation.vocabulary import ENTRIES, Entry
from lisa_ros.simulation.wordings import SPLITS, Split
from lisa_ros.types import Status

Form = Literal["name", "attribute", "description", "relation", "implicit"]
FORMS: tuple[Form, ...] = get_args(Form)
_FORM_SHARES = (0.25, 0.25, 0.10, 0.15, 0.25)
_TRIES = 12
_CASUAL_SHARE = 0.25
_LOOK_ALIKE_SHARE = 0.4
_ANY_THING_SHARE = 0.25

# Tables and walls may be brown or grey, so "the brown thing" would be arguable.
_THING_COLORS = tuple(color for color in COLORS if color not in ("brown", "grey"))

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """A sentence and its meaning in a room. target_ids: the one object asked for; () if absent."""

    text: str
    form: Form
    target_ids: tuple[int, ...]
    present: bool
    split: Split


def sample_requests(
    room: Room,
    rng: np.random.Generator,
    n: int,
    phrasings: Split = "train",
    absent_share: float = 0.25,
) -> list[Request]:
    """Draw up to `n` requests with distinct texts; fewer where the room does not give so many.

    phrasings: which wordings. absent_share: the share of requests for what is not there. About 25 %
    of each kind are names, 25 % attributes, 10 % descriptions, 15 % relations, 25 % implicit.
    """
    _check_split(phrasings)
    found: dict[str, Request] = {}
    absent_count = int(np.floor(n * absent_share + rng.random()))
    for index in range(n):
        request = _draw_new(room, rng, index >= absent_count, phrasings, found)
        if request is not None:
            found[normalised(request.text)] = request
    requests = list(found.values())
    return [requests[index] for index in rng.permutation(len(requests))]


def _draw_new(
    room: Room, rng: np.random.Generator, present: bool, split: Split, found: dict[str, Request]
) -> Request | None:
    """A request that is not in `found`, of the form that the dice choose if there is one."""
    order = rng.choice(len(FORMS), size=len(FORMS), replace=False, p=_FORM_SHARES)
    for form in (FORMS[index] for index in order):
        for _ in range(_TRIES):
            request = _draw(room, rng, form, present, split)
            if request is not None and normalised(request.text) not in found:
                return request
    return None


def default_request(room: Room) -> str:
    """The sentence that a demonstration asks: a need, else a name, of the thing most in view."""
    rng = np.random.default_rng([room.seed, 7])
    pixels = {item.id: item.visible_px for item in room.objects}
    for form in ("implicit", "name"):
        drawn = [_draw(room, rng, form, True, "train") for _ in range(20 * _TRIES)]
        requests = [request for request in drawn if request is not None]
        if requests:
            return max(requests, key=lambda request: pixels[request.target_ids[0]]).text
    raise SimulationError(
        f"Nothing in the room of seed {room.seed} can be asked for without ambiguity; "
        "use another seed."
    )


def _draw(
    room: Room, rng: np.random.Generator, form: Form, present: bool, split: Split
) -> Request | None:
    """One attempt at a request; None when the draw is ambiguous or not what was wanted."""
    drawn = _DRAWERS[form](room, rng, present, split)
    if drawn is None:
        return None
    text, phrase = drawn
    verdict = judge_phrase(room, phrase)
    wanted = Status.FOUND if present else Status.NOT_FOUND
    if verdict.expected is not wanted:
        return None
    return Request(text, form, verdict.target_ids, present, split)


def _draw_name(
    room: Room, rng: np.random.Generator, present: bool, split: Split
) -> tuple[str, Phrase] | None:
    entry = _pick(rng, _entries_of(_kind(room, rng, present)))
    return _wrapped(rng, f"the {_pick(rng, entry.names.of(split))}", split), Phrase(entry.kinds)


def _draw_description(
    room: Room, rng: np.random.Generator, present: bool, split: Split
) -> tuple[str, Phrase] | None:
    entry = _pick(rng, _entries_of(_kind(room, rng, present)))
    wordings = entry.descriptions.of(split)
    if not wordings:
        return None
    return _wrapped(rng, f"the {_pick(rng, wordings)}", split), Phrase(entry.kinds)


def _draw_attribute(
    room: Room, rng: np.random.Generator, present: bool, split: Split
) -> tuple[str, Phrase] | None:
    """A colour and a name. Absent ones are mostly the right kind in a colour that is not there."""
    item = _pick(rng, room.targets)
    if rng.random() < _ANY_THING_SHARE:
        color = item.color if present else _pick(rng, _THING_COLORS)
        if color not in _THING_COLORS:
            return None
        noun, kinds = _pick(rng, ANYTHING.of(split)), ANY_KIND
    else:
        kind = item.kind if present or rng.random() < 0.6 else _kind(room, rng, present)
        spec = KINDS[kind]
        if not spec.nameable or len(spec.colors) < 2:
            return None
        color = item.color if present else _pick(rng, spec.colors)
        entry = _pick(rng, [e for e in _entries_of(kind) if len(e.kinds) == 1])
        noun, kinds = _pick(rng, entry.names.of(split)), entry.kinds
    if color is None:
        return None
    return _wrapped(rng, f"the {color} {noun}", split), Phrase(kinds, color=color)


def _draw_relation(
    room: Room, rng: np.random.Generator, present: bool, split: Split
) -> tuple[str, Phrase] | None:
    """Absent ones name a missing thing, a missing anchor, or a relation that does not hold."""
    twins = _twins(room)
    item = _pick(rng, twins) if twins and rng.random() < 0.5 else _pick(rng, room.targets)
    kind, anchor_kind = item.kind, _pick(rng, room.targets).kind
    if not present and rng.random() < 0.7:
        if rng.random() < 0.6:
            kind = _kind(room, rng, present)
        else:
            anchor_kind = _kind(room, rng, present)
    if kind == anchor_kind:
        return None
    thing, anchor = (_pick(rng, _single_entries(name)) for name in (kind, anchor_kind))
    relation = _pick(rng, tuple(RELATIONS))
    if relation == "nearest" and item not in twins and rng.random() < 0.7:
        return None
    wording = _pick(rng, RELATIONS[relation].of(split))
    names = [_pick(rng, entry.names.of(split)) for entry in (thing, anchor)]
    text = _wrapped(rng, f"the {names[0]} {wording} the {names[1]}", split, names[0])
    return text, Phrase(thing.kinds, relation=relation, anchor=anchor.kinds)


def _draw_implicit(
    room: Room, rng: np.random.Generator, present: bool, split: Split
) -> tuple[str, Phrase] | None:
    need = _pick(rng, _needs_of(_kind(room, rng, present)))
    activities = need.activities if split == "train" else ()
    sentence = _pick(rng, (*need.sentences.of(split), *activities))
    if sentence in activities:
        sentence = _pick(rng, OPENINGS).replace("{a}", sentence)
    return _typed(rng, sentence), Phrase(need.kinds, need.substitutes)


_DRAWERS: dict[
    Form, Callable[[Room, np.random.Generator, bool, Split], tuple[str, Phrase] | None]
] = {
    "name": _draw_name,
    "attribute": _draw_attribute,
    "description": _draw_description,
    "relation": _draw_relation,
    "implicit": _draw_implicit,
}


def _kind(room: Room, rng: np.random.Generator, present: bool) -> str:
    """A kind that is there, or one that is not: often the look-alike of something there."""
    if present:
        return _pick(rng, room.targets).kind
    here = {item.kind for item in room.objects if item.visible_px > 0}
    if rng.random() < _LOOK_ALIKE_SHARE:
        tempting = [
            pair[1 - side]
            for pair in LOOK_ALIKES
            for side in (0, 1)
            if pair[side] in here and pair[1 - side] not in here
        ]
        if tempting:
            return _pick(rng, tempting)
    return _pick(rng, [kind for kind in KINDS if kind not in here])


def _twins(room: Room) -> list[RoomObject]:
    """Targets that share their kind with another object."""
    kinds = [item.kind for item in room.objects]
    return [item for item in room.targets if kinds.count(item.kind) > 1]


@functools.cache
def _entries_of(kind: str) -> tuple[Entry, ...]:
    """The words for a kind: its own twice as often as those of its group."""
    own = [entry for entry in ENTRIES if entry.kinds == {kind}]
    groups = [entry for entry in ENTRIES if kind in entry.kinds and len(entry.kinds) > 1]
    return (*own, *own, *groups)


def _single_entries(kind: str) -> tuple[Entry, ...]:
    return tuple(entry for entry in _entries_of(kind) if len(entry.kinds) == 1)


@functools.cache
def _needs_of(kind: str) -> tuple[Need, ...]:
    return tuple(need for need in NEEDS if kind in need.kinds)


def _wrapped(rng: np.random.Generator, phrase: str, split: Split, head: str = "") -> str:
    """A sentence about a noun phrase; `head` is its noun where that is not the last word."""
    plural = is_plural(head or phrase)
    return _typed(rng, _pick(rng, WRAPPERS[split]).around(phrase, plural))


def _typed(rng: np.random.Generator, sentence: str) -> str:
    return casual(sentence) if rng.random() < _CASUAL_SHARE else sentence


def casual(sentence: str) -> str:
    """The sentence as some people type it: without a capital letter and without a full stop."""
    plain = sentence.rstrip(".?")
    return plain if plain.startswith("I ") else plain[:1].lower() + plain[1:]


def _pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    return items[int(rng.integers(len(items)))]


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise SimulationError(f"Unknown phrasings {split!r}; expected one of {', '.join(SPLITS)}.")
