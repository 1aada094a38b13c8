"""The kinds of things that the base model is not told of, and a check that it was not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.settings import LisaSettings
from lisa_ros.simulation.kinds import KINDS

# Each has a shape of its own (a band over two cups, a shade on a foot, leaves, a dial with bells),
# is in no pair of LOOK_ALIKES, shares no name ("fruit", "toy") and no need ("I am thirsty") with
# another kind, and fills enough pixels for its IoU to say something. So what the base says of them
# cannot come from kinds that it knows, and what it keeps of those does not depend on these.
HELD_OUT = ("headphones", "lamp", "plant", "clock")


def refuse_told(settings: LisaSettings, kinds: frozenset[str]) -> None:
    """Raise ConfigurationError for a checkpoint that was trained to find one of the kinds.

    As far as its own record goes: training of `training.train` on rooms is in it, pre-training of
    the vision towers does not count.
    """
    past = settings.provenance
    trainings = [*past.get("trained_before", ()), past.get("trained_with")]
    for training in filter(None, trainings):
        told = sorted(kinds & _told(training))
        if told:
            raise ConfigurationError(
                f"This checkpoint was trained to find: {', '.join(told)}. Begin with one that was "
                "not, such as training/configs/lisa-tiny-heldout.yaml makes."
            )


def _told(training: Mapping[str, Any]) -> frozenset[str]:
    """The kinds that a training speaks of; all of them if it does not say."""
    if "data" not in training:
        return frozenset(KINDS)
    rooms = [
        source.get("options", {})
        for group in training["data"]
        for source in group["datasets"]
        if source["kind"] == "rooms"
    ]
    told: set[str] = set()
    for options in rooms:
        told |= set(options.get("only_kinds") or KINDS) - set(options.get("without_kinds", ()))
    return frozenset(told)
