"""What keeps a fresh frame from coming together, in sentences: as `frames.Camera` will see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lisa_ros.nodes.stream_states import StreamState

if TYPE_CHECKING:
    from lisa_ros.nodes.topic_publishers import TopicPublishers

# A stamp so far off is not a slow camera but another clock.
_OTHER_CLOCK_S = 3600.0


@dataclass(frozen=True)
class InputLink:
    """How one input is connected, whatever its messages say.

    rate_hz: of its messages, None before it is known. lost: messages that were sent and never came;
    None where nobody counts them. profile: the QoS of the subscription, in words.
    """

    rate_hz: float | None
    lost: int | None
    profile: str
    publishers: TopicPublishers


def input_problems(
    inputs: Mapping[str, StreamState],
    links: Mapping[str, InputLink],
    frame_age_s: float | None,
    *,
    max_age_s: float,
) -> list[str]:
    """Return the problems, none where frames arrive. inputs: by stream; links: by topic.

    frame_age_s: of the newest synchronised set, None without one.
    """
    required = {stream: seen for stream, seen in inputs.items() if seen.required}
    single = [
        _complaint(stream, seen) + _why_silent(links.get(seen.topic))
        for stream, seen in required.items()
        if seen.problem or seen.age_s is None or abs(seen.age_s) > max_age_s
    ]
    if single:
        return single
    apart = f"{', '.join(required)} arrive, but no stamps of theirs match (sync_slop_s)"
    if frame_age_s is None:
        return [apart]
    if abs(frame_age_s) > max_age_s:
        return [f"{apart}; the last that did are {frame_age_s:.1f} s old"]
    return []


def too_old(stream: str, seen: StreamState, *, max_age_s: float, clock_stands: bool) -> str:
    """Say why the newest message of an input is of no use. clock_stands: the node's, at 0."""
    limit = f"the limit (max_frame_age_s) is {max_age_s:g} s"
    if seen.age_s is None:
        return f"No {stream} has arrived on {seen.topic} since the stamps jumped back."
    if clock_stands:
        return (
            f"{stream} arrives on {seen.topic}, but this node's clock stands at 0: use_sim_time "
            "is set, and nobody publishes /clock (ros2 bag play --clock does)."
        )
    if abs(seen.age_s) > _OTHER_CLOCK_S:
        return (
            f"The stamps of {stream} on {seen.topic} are {seen.age_s:.0f} s away from this "
            f"node's clock; {limit}. Does the driver set its stamps, and is use_sim_time right "
            "(true for a bag, which ros2 bag play --clock gives a clock)?"
        )
    if seen.age_s < 0:
        return (
            f"The newest {stream} on {seen.topic} is {-seen.age_s:.2f} s in the future; "
            f"{limit}. Synchronise the clocks."
        )
    return f"The newest {stream} on {seen.topic} is {seen.age_s:.2f} s old; {limit}."


def _complaint(stream: str, seen: StreamState) -> str:
    if seen.problem:
        return f"{stream} on {seen.topic} cannot be used: {seen.problem}"
    if seen.age_s is None:
        return f"no {stream} on {seen.topic}"
    if abs(seen.age_s) > _OTHER_CLOCK_S:
        return (
            f"the stamps of {stream} on {seen.topic} are {seen.age_s:.0f} s away from this node's "
            "clock: is use_sim_time right, and does the driver set its stamps?"
        )
    return f"{stream} on {seen.topic} is {seen.age_s:.1f} s old"


def _why_silent(link: InputLink | None) -> str:
    """Return what the graph says about an input that is silent."""
    if link is None:
        return ""
    publishers = link.publishers
    if not publishers.names:
        return " (nobody publishes it)"
    if publishers.unheard:
        return f" ({'; '.join(publishers.unheard)})"
    return (
        "" if link.rate_hz else f" ({', '.join(publishers.names)} publishes it, but sends nothing)"
    )
