"""The data of a run, as its configuration names them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lisa_ros.errors import ConfigurationError
from training.config import expect


@dataclass(frozen=True)
class Source:
    """A dataset: what `registry.open_dataset` takes.

    cache: keep what the frozen towers make of its images. crops: learn from random parts of them
    instead, of at least this share of each side; see `cropping`.
    """

    kind: str
    folder: str
    split: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    cache: bool = False
    crops: float | None = None

    def __post_init__(self) -> None:
        """Refuse crops that cannot be drawn or kept."""
        if self.crops is None:
            return
        expect(0 < self.crops < 1, f"{self.kind}: crops", self.crops, "a share between 0 and 1")
        if self.cache:
            raise ConfigurationError(
                f"{self.kind} has `crops` and `cache: true`, but a random part is another image "
                "each time. Leave out one of them."
            )


@dataclass(frozen=True)
class SourceGroup:
    """Datasets that share one weight; see `mixture.Group`."""

    name: str
    weight: float
    datasets: tuple[Source, ...]


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
