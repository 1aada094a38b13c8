"""Preprocessing, CLIP and SAM's encoder give what upstream's did on every golden image."""

from __future__ import annotations

from golden_data import Golden, GoldenSet, read_image
from golden_images import compare_image
from parity import Deviations


def test_image_side(image: Golden, golden_set: GoldenSet, deviations: Deviations) -> None:
    compare_image(image, read_image(image.image), golden_set.arrays(image), deviations).finish()
