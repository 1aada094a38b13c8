from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_ros.nodes.synchroniser import Synchroniser

STREAMS = ("image", "depth", "info")
MS = 1_000_000
SECOND = 1_000_000_000


def fill(synchroniser: Synchroniser, stamp_ns: int, streams: tuple[str, ...] = STREAMS) -> bool:
    complete = False
    for stream in streams:
        complete = synchroniser.add(stream, stamp_ns, f"{stream}@{stamp_ns}")
    return complete


def test_set_is_complete_with_its_last_message_in_any_order() -> None:
    for order in (STREAMS, STREAMS[::-1]):
        synchroniser = Synchroniser(STREAMS, slop_ns=0)
        assert not synchroniser.add(order[0], 5, "a")
        assert not synchroniser.add(order[1], 5, "b")
        assert synchroniser.newest_set is None
        assert synchroniser.add(order[2], 5, "c")
        assert synchroniser.newest_set is not None
        assert synchroniser.newest_set.stamp_ns == 5


@pytest.mark.parametrize(
    ("offset_ms", "matches"), [(0, True), (20, True), (-20, True), (21, False)]
)
def test_slop(offset_ms: int, matches: bool) -> None:
    synchroniser = Synchroniser(("image", "depth"), slop_ns=20 * MS)
    synchroniser.add("image", SECOND, "image")
    assert synchroniser.add("depth", SECOND + offset_ms * MS, "depth") is matches


def test_nearest_partner_is_taken_and_improves_a_set() -> None:
    synchroniser = Synchroniser(("image", "depth"), slop_ns=20 * MS)
    synchroniser.add("depth", SECOND - 10 * MS, "far")
    assert synchroniser.add("image", SECOND, "image")
    assert synchroniser.add("depth", SECOND + 1 * MS, "near")
    assert synchroniser.newest_set.messages == {"image": "image", "depth": "near"}
    assert not synchroniser.add("depth", SECOND + 15 * MS, "late")
    assert synchroniser.newest_set.messages["depth"] == "near"


def test_newest_complete_set_wins_over_newer_incomplete_ones() -> None:
    synchroniser = Synchroniser(STREAMS, slop_ns=0)
    fill(synchroniser, 100 * MS)
    fill(synchroniser, 200 * MS, ("image", "info"))
    assert synchroniser.newest_set.stamp_ns == 100 * MS
    assert synchroniser.newest_message("image") == f"image@{200 * MS}"
    assert synchroniser.add("depth", 200 * MS, "depth")
    assert synchroniser.newest_set.stamp_ns == 200 * MS


def test_late_partner_of_an_old_image_does_not_bring_it_back() -> None:
    synchroniser = Synchroniser(("image", "depth"), slop_ns=0)
    synchroniser.add("image", 100 * MS, "old")
    fill(synchroniser, 200 * MS, ("image", "depth"))
    assert not synchroniser.add("depth", 100 * MS, "late")
    assert synchroniser.newest_set.stamp_ns == 200 * MS


def test_memory_is_bounded_and_losses_are_counted() -> None:
    synchroniser = Synchroniser(("image", "depth"), slop_ns=0, capacity=4)
    for number in range(20):
        synchroniser.add("image", number * MS, number)
    assert synchroniser.counters("image").unmatched == 16
    assert synchroniser.counters("image").newest_stamp_ns == 19 * MS
    assert synchroniser.counters("depth").newest_stamp_ns is None


def test_matched_messages_are_not_losses() -> None:
    synchroniser = Synchroniser(STREAMS, slop_ns=0, capacity=2)
    for number in range(10):
        fill(synchroniser, number * MS)
    assert all(synchroniser.counters(stream).unmatched == 0 for stream in STREAMS)


def test_memory_is_bounded_in_bytes_too() -> None:
    synchroniser = Synchroniser(("image", "depth"), slop_ns=0, capacity_bytes=100)
    for number in range(6):
        synchroniser.add("image", number * MS, number, size_bytes=40)
    assert synchroniser.counters("image").unmatched == 4
    synchroniser.add("image", 6 * MS, "huge", size_bytes=1000)
    assert synchroniser.newest_message("image") == "huge"
    assert synchroniser.counters("image").unmatched == 6


def test_messages_of_the_same_stamp_are_counted() -> None:
    synchroniser = Synchroniser(("image", "depth"), slop_ns=0)
    for _ in range(3):
        synchroniser.add("image", 5, "image")
    assert synchroniser.counters("image").repeated == 2


def test_exact_set_is_kept_while_its_successor_may_be_on_the_way() -> None:
    synchroniser = Synchroniser(("image", "depth"), slop_ns=20 * MS)
    fill(synchroniser, 100 * MS, ("image", "depth"))
    assert not synchroniser.add("image", 110 * MS, "image@110")  # near the depth of 100
    assert synchroniser.newest_set.stamp_ns == 100 * MS
    assert synchroniser.add("depth", 110 * MS, "depth@110")
    assert synchroniser.newest_set.messages == {"image": "image@110", "depth": "depth@110"}
    assert synchroniser.newest_set.exact


def test_streams_that_fall_out_of_step_are_paired_as_near_as_they_are() -> None:
    synchroniser = Synchroniser(("image", "depth"), slop_ns=20 * MS)
    fill(synchroniser, 100 * MS, ("image", "depth"))
    for stamp_ms in (133, 166):
        synchroniser.add("image", stamp_ms * MS, f"image@{stamp_ms}")
        synchroniser.add("depth", (stamp_ms + 5) * MS, f"depth@{stamp_ms}")
    found = synchroniser.newest_set
    assert found.messages == {"image": "image@166", "depth": "depth@166"}
    assert (found.exact, found.offsets_ns) == (False, {"image": 0, "depth": 5 * MS})


def test_optional_stream_joins_and_is_not_waited_for() -> None:
    synchroniser = Synchroniser(("image", "depth"), slop_ns=5 * MS, optional=("info",))
    assert fill(synchroniser, 100 * MS, ("image", "depth"))
    assert synchroniser.newest_set.messages.keys() == {"image", "depth"}
    assert synchroniser.add("info", 102 * MS, "info")
    assert synchroniser.newest_set.messages["info"] == "info"
    assert synchroniser.newest_set.exact
    assert fill(synchroniser, 200 * MS, ("image", "depth"))
    assert "info" not in synchroniser.newest_set.messages


def test_rejected_set_does_not_come_back() -> None:
    synchroniser = Synchroniser(("image", "depth"), slop_ns=50 * MS)
    fill(synchroniser, 100 * MS, ("image", "depth"))
    synchroniser.reject(synchroniser.newest_set)
    assert synchroniser.newest_set is None
    assert not synchroniser.add("depth", 120 * MS, "depth")
    assert synchroniser.newest_set is None
    assert synchroniser.add("image", 120 * MS, "image")


def test_time_that_jumps_back_starts_anew() -> None:
    synchroniser = Synchroniser(STREAMS, slop_ns=0)
    fill(synchroniser, 100 * SECOND)
    assert fill(synchroniser, 3 * SECOND)
    assert synchroniser.newest_set.stamp_ns == 3 * SECOND
    assert synchroniser.time_jumps == 1


def test_loop_counts_once_however_the_streams_overtake_each_other() -> None:
    synchroniser = Synchroniser(("image", "depth"), slop_ns=0)
    for loop in range(1, 4):
        fill(synchroniser, 90 * SECOND, ("image", "depth"))
        order = ("image", "depth") if loop % 2 else ("depth", "image")
        synchroniser.add(order[0], 1 * SECOND, "begin")
        assert synchroniser.newest_set is None
        synchroniser.add(order[1], 99 * SECOND, "end")  # a straggler of the last round
        assert synchroniser.newest_set is None
        assert synchroniser.add(order[1], 1 * SECOND, "begin")
        assert synchroniser.newest_set.messages == {"image": "begin", "depth": "begin"}
        assert synchroniser.time_jumps == loop
    assert synchroniser.counters("image").set_back > 0


def test_single_stamp_from_the_future_costs_nothing_but_itself() -> None:
    synchroniser = Synchroniser(("image", "depth"), slop_ns=0)
    fill(synchroniser, 1 * SECOND, ("image", "depth"))
    synchroniser.add("image", 10**6 * SECOND, "astray")
    synchroniser.add("image", 1 * SECOND + 30 * MS, "image")
    assert synchroniser.newest_set.stamp_ns == 1 * SECOND
    assert synchroniser.counters("image").set_back == 1
    assert synchroniser.counters("image").newest_stamp_ns == 1 * SECOND + 30 * MS


def test_small_disorder_is_no_time_jump() -> None:
    synchroniser = Synchroniser(("image", "depth"), slop_ns=0)
    fill(synchroniser, 2 * SECOND, ("image", "depth"))
    synchroniser.add("image", 2 * SECOND - 100 * MS, "overtaken")
    assert synchroniser.time_jumps == 0
    assert synchroniser.newest_set.stamp_ns == 2 * SECOND


def test_camera_that_stamps_everything_alike_is_renewed() -> None:
    synchroniser = Synchroniser(("image", "depth"), slop_ns=0)
    for number in range(3):
        synchroniser.add("image", 0, f"image {number}")
        assert synchroniser.add("depth", 0, f"depth {number}")
    assert synchroniser.newest_set.messages == {"image": "image 2", "depth": "depth 2"}


@given(
    st.lists(st.tuples(st.sampled_from(STREAMS), st.integers(0, 60)), max_size=60),
    st.integers(0, 5),
)
def test_whatever_comes_the_newest_set_is_in_step(
    events: list[tuple[str, int]], slop_ms: int
) -> None:
    synchroniser = Synchroniser(STREAMS, slop_ns=slop_ms * MS, capacity=5)
    newest = -1
    for stream, stamp_ms in events:
        completed = synchroniser.add(stream, stamp_ms * MS, (stream, stamp_ms))
        found = synchroniser.newest_set
        assert not completed or found is not None
        if found is None:
            continue
        assert found.stamp_ns >= newest
        newest = found.stamp_ns
        assert all(message[0] == name for name, message in found.messages.items())
        image_ms = found.messages["image"][1]
        assert all(abs(message[1] - image_ms) <= slop_ms for message in found.messages.values())
