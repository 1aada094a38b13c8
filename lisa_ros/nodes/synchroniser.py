"""Pair the messages of several streams by their stamps; memory is bounded, losses are counted.

Pure Python. A set is built round one message of the first stream (the reference): the nearest
message of every other stream must lie within `slop_ns` of it. The newest set wins; older ones are
never handed out again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# A stamp this far behind the newest one of its stream means that time itself was set back (a bag
# that loops, a restarted simulation), not that two messages overtook each other.
_TIME_JUMP_NS = 500_000_000


@dataclass(frozen=True)
class MessageSet:
    """One synchronised set: the reference's stamp and one message for each stream."""

    stamp_ns: int
    messages: Mapping[str, Any]


@dataclass
class StreamCounters:
    """What happened to one stream's messages since the start.

    received: all. unmatched: thrown away without ever having been part of a set. newest_stamp_ns:
    of the newest message held, None before the first.
    """

    received: int = 0
    unmatched: int = 0
    newest_stamp_ns: int | None = None


@dataclass
class _Entry:
    stamp_ns: int
    message: Any
    matched: bool = False


@dataclass
class _Stream:
    entries: list[_Entry] = field(default_factory=list)  # oldest first
    counters: StreamCounters = field(default_factory=StreamCounters)


class Synchroniser:
    """Keeps `capacity` messages of each stream and the newest set among them. Not thread-safe."""

    def __init__(self, streams: Sequence[str], slop_ns: int, capacity: int = 10) -> None:
        self._reference = streams[0]
        self._others = tuple(streams[1:])
        self._slop_ns = slop_ns
        self._capacity = capacity
        self._streams = {name: _Stream() for name in streams}
        self._newest_set: MessageSet | None = None
        self.time_jumps = 0

    @property
    def newest_set(self) -> MessageSet | None:
        """The newest complete set, or None."""
        return self._newest_set

    def newest_message(self, stream: str) -> Any | None:
        """Return the newest message of one stream, with or without partners, or None."""
        entries = self._streams[stream].entries
        return entries[-1].message if entries else None

    def counters(self, stream: str) -> StreamCounters:
        """Return what happened to the messages of one stream."""
        return self._streams[stream].counters

    def add(self, stream: str, stamp_ns: int, message: Any) -> bool:
        """Take a message; return whether it completed a newer set (or renewed the newest)."""
        held = self._streams[stream]
        held.counters.received += 1
        if held.entries and stamp_ns < held.entries[-1].stamp_ns - _TIME_JUMP_NS:
            self._forget_everything()
            self.time_jumps += 1
        self._insert(held, _Entry(stamp_ns, message))
        held.counters.newest_stamp_ns = held.entries[-1].stamp_ns
        return self._match(stream, stamp_ns)

    def _insert(self, held: _Stream, entry: _Entry) -> None:
        position = bisect_left(held.entries, entry.stamp_ns, key=lambda e: e.stamp_ns)
        if position < len(held.entries) and held.entries[position].stamp_ns == entry.stamp_ns:
            self._discard(held, held.entries.pop(position))
        held.entries.insert(position, entry)
        if len(held.entries) > self._capacity:
            self._discard(held, held.entries.pop(0))

    def _match(self, stream: str, stamp_ns: int) -> bool:
        """Look for a set from the newest reference downwards, as far as the known set."""
        for reference in reversed(self._streams[self._reference].entries):
            if self._newest_set is not None and reference.stamp_ns < self._newest_set.stamp_ns:
                return False
            partners = {name: self._nearest(name, reference.stamp_ns) for name in self._others}
            if any(partner is None for partner in partners.values()):
                continue
            chosen = {self._reference: reference}
            chosen.update({name: entry for name, entry in partners.items() if entry is not None})
            if chosen.get(stream) is None or chosen[stream].stamp_ns != stamp_ns:
                return False  # the new message is not in the newest set: nothing changed
            for entry in chosen.values():
                entry.matched = True
            self._newest_set = MessageSet(
                reference.stamp_ns, {name: entry.message for name, entry in chosen.items()}
            )
            return True
        return False

    def _nearest(self, stream: str, stamp_ns: int) -> _Entry | None:
        candidates = self._streams[stream].entries
        if not candidates:
            return None
        nearest = min(candidates, key=lambda entry: abs(entry.stamp_ns - stamp_ns))
        return nearest if abs(nearest.stamp_ns - stamp_ns) <= self._slop_ns else None

    def _forget_everything(self) -> None:
        for held in self._streams.values():
            for entry in held.entries:
                self._discard(held, entry)
            held.entries.clear()
            held.counters.newest_stamp_ns = None
        self._newest_set = None

    def _discard(self, held: _Stream, entry: _Entry) -> None:
        if not entry.matched:
            held.counters.unmatched += 1
