"""Whether a run forgets: sets that are scored before it and while it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lisa_ros.errors import ConfigurationError
from training.engine import Engine
from training.validation import Encode, HeldOut

GIOU_DROP = 0.02
ANSWER_LOSS_RISE = 0.05  # as a share of the loss before


class Watch:
    """Sets by their names: with masks their gIoU counts, without (conversations) the loss."""

    def __init__(self, sets: Sequence[HeldOut]) -> None:
        """Raise ConfigurationError where two have the same name: one would hide the other."""
        self.sets = {held_out.dataset.name: held_out for held_out in sets}
        if len(self.sets) < len(sets):
            names = ", ".join(held_out.dataset.name for held_out in sets)
            raise ConfigurationError(f"Two `watched` sets have the same name: {names}.")

    def scores(self, engine: Engine, encode: Encode) -> dict[str, float]:
        """The score of every set, such as "ade20k/giou"."""
        scores: dict[str, float] = {}
        for name, held_out in self.sets.items():
            score = held_out.score(engine, encode)
            if score.giou is None:
                scores[f"{name}/answer_loss"] = score.answer_loss
            else:
                scores[f"{name}/giou"] = score.giou
        return scores


def worsened(baseline: Mapping[str, float], now: Mapping[str, float]) -> Iterator[str]:
    """A sentence for each set that has become worse by more than a little."""
    for key, before in baseline.items():
        name, _, kind = key.rpartition("/")
        if kind == "giou" and now[key] < before - GIOU_DROP:
            yield (
                f"{name} worsened: gIoU {before:.3f} before the run, {now[key]:.3f} now. Raise the "
                "weight of data of that kind, or train for fewer steps."
            )
        if kind == "answer_loss" and now[key] > before * (1 + ANSWER_LOSS_RISE):
            yield (
                f"{name} worsened: the loss of its answers was {before:.3f} before the run and is "
                f"{now[key]:.3f} now. Add conversations to the data, or train for fewer steps."
            )
