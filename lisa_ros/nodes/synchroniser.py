"""Pair the messages of several streams by their stamps; memory is bounded, losses are counted.

Pure Python. A set is built round one message of the first stream (the reference): the nearest
message of every other stream must lie within `slop_ns` of it. The newest set wins; older ones are
never handed out again. Stamps that agree to the nanosecond come from one exposure, so such a set is
not given up for a newer one that is only near, as long as its own partner may still be on its way.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# A stamp this far behind the newest one of its stream means that time itself was set back (a bag
# that loops, a restarted simulation), not that two messages overtook each other.
_TIME_JUMP_NS = 500_000_000
# How much older an exact set may be than one that is only near: two slops, and at most this.
_MAX_PATIENCE_NS = 100_000_000
# Ten 4K images of four channels, and no more of whatever a stream sends.
_CAPACITY_BYTES = 2**29


@dataclass(frozen=True)
class MessageSet:
    """One synchronised set: the reference's stamp and one message for each stream.

    offsets_ns: how much later than the reference each message is stamped. exact: whether all
    streams but the optional ones have the same stamp.
    """

    stamp_ns: int
    messages: Mapping[str, Any]
    offsets_ns: Mapping[str, int]
    exact: bool


@dataclass
class StreamCounters:
    """What happened to one stream's messages since the start.

    unmatched: made room for newer ones without ever having been part of a set. repeated: another
    message with the same stamp took the place. set_back: thrown away because time jumped back.
    newest_stamp_ns: of the newest message since time last jumped back, None before the first.
    """

    unmatched: int = 0
    repeated: int = 0
    set_back: int = 0
    newest_stamp_ns: int | None = None


@dataclass(eq=False)
class _Entry:
    stamp_ns: int
    message: Any
    size_bytes: int
    matched: bool = False


@dataclass
class _Stream:
    entries: list[_Entry] = field(default_factory=list)  # oldest first
    counters: StreamCounters = field(default_factory=StreamCounters)
    latest_ns: int | None = None  # like newest_stamp_ns, but other streams' jumps do not reset it
    round: int = 0  # of the rounds that time has begun, the one this stream is in

    @property
    def size_bytes(self) -> int:
        return sum(entry.size_bytes for entry in self.entries)


class Synchroniser:
    """Keeps `capacity` messages of each stream and the newest set among them. Not thread-safe.

    streams: every set has one message of each; the first is the reference. optional: streams that
    join a set when they are in step with it, and are not waited for. capacity_bytes: for the
    messages of one stream; the newest one is kept whatever its size.
    """

    def __init__(
        self,
        streams: Sequence[str],
        slop_ns: int,
        *,
        optional: Sequence[str] = (),
        capacity: int = 10,
        capacity_bytes: int = _CAPACITY_BYTES,
    ) -> None:
        self._reference, *self._partners = streams
        self._optional = tuple(optional)
        self._slop_ns = slop_ns
        self._patience_ns = min(2 * slop_ns, _MAX_PATIENCE_NS)
        self._capacity, self._capacity_bytes = capacity, capacity_bytes
        self._streams = {name: _Stream() for name in (*streams, *optional)}
        self._newest_set: MessageSet | None = None
        self._rounds = 0

    @property
    def newest_set(self) -> MessageSet | None:
        """The newest complete set, or None."""
        return self._newest_set

    @property
    def time_jumps(self) -> int:
        """How often time jumped back; the streams follow each other, which counts once."""
        return self._rounds

    def newest_message(self, stream: str) -> Any | None:
        """Return the newest message of one stream, with or without partners, or None."""
        entries = self._streams[stream].entries
        return entries[-1].message if entries else None

    def counters(self, stream: str) -> StreamCounters:
        """Return what happened to the messages of one stream."""
        return self._streams[stream].counters

    def add(self, stream: str, stamp_ns: int, message: Any, size_bytes: int = 0) -> bool:
        """Take a message; return whether it completed a newer set (or renewed the newest)."""
        held = self._streams[stream]
        if held.latest_ns is not None and stamp_ns < held.latest_ns - _TIME_JUMP_NS:
            self._go_back(held, stamp_ns)
        elif held.latest_ns is None:
            held.round, held.latest_ns = self._rounds, stamp_ns
        self._insert(held, _Entry(stamp_ns, message, size_bytes))
        held.latest_ns = max(held.latest_ns, stamp_ns)
        held.counters.newest_stamp_ns = held.latest_ns
        return self._match(stream, stamp_ns)

    def reject(self, rejected: MessageSet) -> None:
        """Throw away the messages of a set that turned out to be unusable."""
        for name, message in rejected.messages.items():
            entries = self._streams[name].entries
            entries[:] = [entry for entry in entries if entry.message is not message]
        if self._newest_set is rejected:
            self._newest_set = None

    def _insert(self, held: _Stream, entry: _Entry) -> None:
        position = bisect_left(held.entries, entry.stamp_ns, key=lambda e: e.stamp_ns)
        if position < len(held.entries) and held.entries[position].stamp_ns == entry.stamp_ns:
            replaced = held.entries.pop(position)
            held.counters.repeated += not replaced.matched
        held.entries.insert(position, entry)
        while len(held.entries) > self._capacity or (
            len(held.entries) > 1 and held.size_bytes > self._capacity_bytes
        ):
            oldest = held.entries.pop(0)
            held.counters.unmatched += not oldest.matched

    def _match(self, stream: str, stamp_ns: int) -> bool:
        """Look for a set from the newest reference downwards, as far as the known set."""
        known = self._newest_set
        for reference in reversed(self._streams[self._reference].entries):
            if known is not None and reference.stamp_ns < known.stamp_ns:
                return False
            chosen = self._round(reference)
            if chosen is None:
                continue
            found = self._set_of(chosen)
            if known is not None and self._is_premature(found, known):
                continue
            if stream not in chosen or chosen[stream].stamp_ns != stamp_ns:
                return False  # the new message is not in the newest set: nothing changed
            for entry in chosen.values():
                entry.matched = True
            self._newest_set = found
            return True
        return False

    def _round(self, reference: _Entry) -> dict[str, _Entry] | None:
        """Return the entries that make a set with this reference, or None."""
        chosen = {self._reference: reference}
        for name in (*self._partners, *self._optional):
            nearest = self._nearest(name, reference.stamp_ns)
            if nearest is not None:
                chosen[name] = nearest
            elif name not in self._optional:
                return None
        return chosen

    def _set_of(self, chosen: Mapping[str, _Entry]) -> MessageSet:
        stamp_ns = chosen[self._reference].stamp_ns
        return MessageSet(
            stamp_ns,
            {name: entry.message for name, entry in chosen.items()},
            {name: entry.stamp_ns - stamp_ns for name, entry in chosen.items()},
            all(chosen[name].stamp_ns == stamp_ns for name in self._partners),
        )

    def _is_premature(self, found: MessageSet, known: MessageSet) -> bool:
        newer_by_ns = found.stamp_ns - known.stamp_ns
        return known.exact and not found.exact and 0 < newer_by_ns <= self._patience_ns

    def _nearest(self, stream: str, stamp_ns: int) -> _Entry | None:
        candidates = self._streams[stream].entries
        if not candidates:
            return None
        nearest = min(candidates, key=lambda entry: abs(entry.stamp_ns - stamp_ns))
        return nearest if abs(nearest.stamp_ns - stamp_ns) <= self._slop_ns else None

    def _go_back(self, held: _Stream, stamp_ns: int) -> None:
        """Throw away what belongs to the time before a jump, now that one is seen in a stream."""
        limit_ns = stamp_ns + _TIME_JUMP_NS
        if any(0 < stamp_ns - entry.stamp_ns <= _TIME_JUMP_NS for entry in held.entries):
            # Time goes on from where it was: only what came in between was stamped wrongly.
            _forget(held, [entry for entry in held.entries if entry.stamp_ns > limit_ns])
            if self._newest_set is not None and self._newest_set.stamp_ns > limit_ns:
                self._newest_set = None
        else:
            begins = held.round == self._rounds  # else it follows a stream that was first
            self._rounds += begins
            for other in self._streams.values() if begins else (held,):
                _forget(other, list(other.entries))
            self._newest_set = None
        held.round, held.latest_ns = self._rounds, stamp_ns


def _forget(held: _Stream, forgotten: Sequence[_Entry]) -> None:
    if forgotten:
        held.counters.set_back += len(forgotten)
        held.entries[:] = [entry for entry in held.entries if entry not in forgotten]
        held.counters.newest_stamp_ns = held.entries[-1].stamp_ns if held.entries else None
