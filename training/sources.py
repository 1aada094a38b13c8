"""The data of a run, as its configuration names them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from lisa_ros.errors import ConfigurationError
from training.config import expect
from training.data.variation import Variation


@dataclass(frozen=True)
class Source:
    """A dataset: what `registry.open_dataset` takes.

    cache: keep what the frozen towers make of its images. vary: learn from random parts of them in
    other light instead.
    """

    kind: str
    folder: str
    split: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    cache: bool = False
    vary: Variation | None = None

    def __post_init__(self) -> None:
        """Refuse to keep what is never seen again."""
        if self.cache and self.vary is not None:
            raise ConfigurationError(
                f"{self.kind} has `vary` and `cache: true`, but a varied image is another one each "
                "time. Leave out one of them."
            )


@dataclass(frozen=True)
class SourceGroup:
    """Datasets that share one weight; see `mixture.Group`."""

    name: str
    weight: float
    datasets: tuple[Source, ...]

    def __post_init__(self) -> None:
        """Refuse what is no share of the mixture."""
        some = 0 < self.weight < math.inf
        expect(some, f"weight of {self.name}", self.weight, "more than 0; or leave the group out")


@dataclass(frozen=True)
class Validation:
    """A held-out set, every so many steps; the best gIoU decides which state is kept.

    images: at most so many of it, evenly spread, and of each watched set.
    """

    data: Source
    every: int
    images: int | None = None

    def __post_init__(self) -> None:
        """Refuse what would validate never or nothing."""
        expect(self.every >= 1, "validation.every", self.every, "1 or more")
        some = self.images is None or self.images >= 1
        expect(some, "validation.images", self.images, "1 or more, or null for all")
