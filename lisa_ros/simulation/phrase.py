"""What a phrase means: a set of kinds with constraints, and which objects of a room satisfy it.

Judgement is three-valued. What a person could argue about (an object that is barely visible, a
second colour, "left of" by a hair) is MAYBE, and a phrase with a MAYBE anywhere is neither present
nor absent.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lisa_ros.simulation.kinds import KINDS
from lisa_ros.simulation.room import Room, RoomObject
from lisa_ros.types import Intrinsics, Status

ANY_KIND = frozenset(KINDS)

# Margins of relations. Sideways, as a share of the image's width; in depth, in metres along the
# view.
_SIDE_YES, _SIDE_NO = 0.08, 0.0
_DEPTH_YES_M, _DEPTH_NO_M = 0.10, 0.0
_SAME_COLUMN = 0.22
_NEAREST_RATIO, _NEAREST_GAP_M = 1.3, 0.05


class Truth(enum.IntEnum):
    """Whether an object satisfies a phrase."""

    NO = 0
    MAYBE = 1
    YES = 2


@dataclass(frozen=True)
class Phrase:
    """The meaning of a request. kinds: any of them will do. substitutes: see `needs.Need`.

    color: of the thing asked for. relation: a key of `sentences.RELATIONS`, to the one thing of
    the kinds `anchor`.
    """

    kinds: frozenset[str]
    substitutes: frozenset[str] = frozenset()
    color: str | None = None
    relation: str | None = None
    anchor: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Verdict:
    """What the truth of a room says to a sentence.

    expected: FOUND, NOT_FOUND, or None where the sentence cannot be judged (not understood, or
    ambiguous in this room). target_ids: the object asked for, when FOUND.
    """

    expected: Status | None
    target_ids: tuple[int, ...] = ()


UNDECIDED = Verdict(None)
ABSENT = Verdict(Status.NOT_FOUND)


def judge_phrase(room: Room, phrase: Phrase) -> Verdict:
    """FOUND when exactly one object, a target, satisfies the phrase; NOT_FOUND when none could."""
    seen = [item for item in room.objects if item.visible_px > 0]
    truths = [min(_kind_truth(item, phrase.kinds), _color_truth(item, phrase)) for item in seen]
    if phrase.relation is not None:
        related = _relation_truths(seen, truths, phrase, room.intrinsics)
        if related is None:
            return UNDECIDED
        truths = related
    candidates = [item for item, truth in zip(seen, truths, strict=True) if truth is not Truth.NO]
    if not candidates:
        spare = any(item.kind in phrase.substitutes for item in seen)
        return UNDECIDED if spare else ABSENT
    if len(candidates) == 1 and max(truths) is Truth.YES and candidates[0].is_target:
        return Verdict(Status.FOUND, (candidates[0].id,))
    return UNDECIDED


def _kind_truth(item: RoomObject, kinds: frozenset[str]) -> Truth:
    return Truth.YES if item.kind in kinds else Truth.NO


def _color_truth(item: RoomObject, phrase: Phrase) -> Truth:
    if phrase.color is None or item.color == phrase.color:
        return Truth.YES
    return Truth.MAYBE if phrase.color in item.accents else Truth.NO


def _relation_truths(
    seen: Sequence[RoomObject], truths: Sequence[Truth], phrase: Phrase, intrinsics: Intrinsics
) -> list[Truth] | None:
    """The truths with the relation applied; None when it is unclear what the anchor is."""
    nothing = [Truth.NO] * len(seen)
    if max(truths, default=Truth.NO) is Truth.NO:
        return nothing
    anchors = [item for item in seen if item.kind in phrase.anchor]
    if not anchors:
        return nothing
    if len(anchors) > 1 or not anchors[0].is_target:
        return None
    anchor = anchors[0]
    others = [
        Truth.NO if item is anchor else truth for item, truth in zip(seen, truths, strict=True)
    ]
    if phrase.relation == "nearest":
        return _nearest(seen, others, anchor)
    return [
        min(truth, _side_truth(item, anchor, str(phrase.relation), intrinsics))
        for item, truth in zip(seen, others, strict=True)
    ]


def _side_truth(
    item: RoomObject, anchor: RoomObject, relation: str, intrinsics: Intrinsics
) -> Truth:
    """Left and right in the image; in front and behind by depth, roughly in one column."""
    here, there = np.array(item.center_px), np.array(anchor.center_px)
    sideways = float(here[0] - there[0]) / intrinsics.width
    deeper = float(np.array(item.position_m)[2] - np.array(anchor.position_m)[2])
    if relation in ("left", "right"):
        return _graded(-sideways if relation == "left" else sideways, _SIDE_NO, _SIDE_YES)
    truth = _graded(deeper if relation == "behind" else -deeper, _DEPTH_NO_M, _DEPTH_YES_M)
    aligned = Truth.YES if abs(sideways) < _SAME_COLUMN else Truth.MAYBE
    return min(truth, aligned)


def _distance_m(item: RoomObject, anchor: RoomObject) -> float:
    here, there = np.array(item.position_m, np.float64), np.array(anchor.position_m, np.float64)
    return float(np.linalg.norm(here - there))


def _graded(value: float, no: float, yes: float) -> Truth:
    if value >= yes:
        return Truth.YES
    return Truth.MAYBE if value > no else Truth.NO


def _nearest(
    seen: Sequence[RoomObject], truths: Sequence[Truth], anchor: RoomObject
) -> list[Truth]:
    """Only the clearly nearest candidate stays; near ties are all MAYBE."""
    distances = [
        _distance_m(item, anchor) if truth is not Truth.NO else np.inf
        for item, truth in zip(seen, truths, strict=True)
    ]
    best = min(distances, default=np.inf)
    if not np.isfinite(best):
        return [Truth.NO] * len(seen)
    limit = max(best * _NEAREST_RATIO, best + _NEAREST_GAP_M)
    close = [distance < limit for distance in distances]
    if sum(close) == 1:
        return [t if near else Truth.NO for t, near in zip(truths, close, strict=True)]
    return [Truth.MAYBE if near else Truth.NO for near in close]
