"""Requests about rooms that ask for some kinds of things only, or never speak of others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lisa_ros.errors import ConfigurationError
from lisa_ros.simulation.kinds import KINDS
from lisa_ros.simulation.language import normalised, parse
from lisa_ros.simulation.phrase import ANY_KIND
from lisa_ros.simulation.requests import Request, sample_requests
from lisa_ros.simulation.room import Room, RoomObject
from lisa_ros.simulation.wordings import Split

# Few requests of a room may be about the kinds wanted, so many are drawn.
_AT_ONCE, _ROUNDS = 16, 8


@dataclass(frozen=True)
class KindChoice:
    """Which kinds of things requests are about; all where both sets are empty.

    only: nothing else is asked for, though a request may mention something else ("the mug left of
    the book"). without: never asked for and never mentioned, not even by the name of a group that
    they belong to ("the fruit"); they may be in the picture.

    Raises:
        ConfigurationError: a kind that does not exist, or one that is in both.

    """

    only: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        unknown = sorted((self.only | self.without) - KINDS.keys())
        if unknown:
            raise ConfigurationError(
                f"There is no kind {unknown[0]!r} in simulated rooms; kinds are "
                f"{', '.join(sorted(KINDS))}."
            )
        both = sorted(self.only & self.without)
        if both:
            raise ConfigurationError(f"{both[0]!r} is to be asked for only, and never; choose.")

    @property
    def takes_all(self) -> bool:
        """Whether nothing is left out."""
        return not self.only and not self.without

    def askable(self, objects: tuple[RoomObject, ...]) -> int:
        """How many of the objects of a room may be asked for."""
        kinds = [item.kind for item in objects if item.is_target and item.kind not in self.without]
        return sum(kind in self.only for kind in kinds) if self.only else len(kinds)

    def allows(self, room: Room, request: Request) -> bool:
        """Whether a request about a room keeps to the choice."""
        phrase = parse(request.text)
        if phrase is None:
            return False
        named = frozenset[str]() if phrase.kinds == ANY_KIND else phrase.kinds
        targets = {item.kind for item in room.objects if item.id in request.target_ids}
        asked = targets or named
        if self.without & (targets | named | phrase.anchor):
            return False
        return not self.only or (bool(asked) and asked <= self.only)


def draw_requests(
    room: Room,
    rng: np.random.Generator,
    n: int,
    phrasings: Split,
    absent_share: float,
    kinds: KindChoice,
) -> list[Request]:
    """As `sample_requests`, of the kinds chosen; fewer than `n` where the room gives no more."""
    if kinds.takes_all:
        return sample_requests(room, rng, n, phrasings, absent_share)
    absent = int(np.floor(n * absent_share + rng.random()))
    missing = {True: n - absent, False: absent}  # by whether it is there
    found: dict[str, Request] = {}
    for _ in range(_ROUNDS):
        share = missing[False] / sum(missing.values())
        for request in sample_requests(room, rng, _AT_ONCE, phrasings, share):
            text = normalised(request.text)
            if missing[request.present] and text not in found and kinds.allows(room, request):
                found[text] = request
                missing[request.present] -= 1
        if not any(missing.values()):
            break
    requests = list(found.values())
    return [requests[index] for index in rng.permutation(len(requests))]
