"""Which images of a batch need no encoding, because their features are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from lisa_ros.types import UInt8Array
from training.data.sample import Sample
from training.feature_cache import FeatureCache, Features, image_key


class Slot(NamedTuple):
    """One image of a batch. features: None where it must be encoded. key: None to not keep it."""

    key: bytes | None = None
    features: Features | None = None


@dataclass(frozen=True)
class FeatureLookup:
    """Looks images up while a batch is prepared. datasets: whose images are kept; None for all."""

    cache: FeatureCache
    datasets: frozenset[str] | None = None

    def __call__(self, sample: Sample, image: UInt8Array) -> Slot:
        """The features of a sample's image u8[H,W,3], if they are known.

        Raises:
            DatasetError: the cache's folder has become unreadable.

        """
        if self.datasets is not None and sample.dataset not in self.datasets:
            return Slot()
        key = image_key(image)
        return Slot(key, self.cache.get(key))
