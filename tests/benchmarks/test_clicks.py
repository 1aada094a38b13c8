"""What is shown to SAM, and the figures of what it made of that."""

from __future__ import annotations

import numpy as np
import pytest
from block_rooms import block_room

from benchmarks.clicks import Shown, figures, shown
from lisa_ros.inference.segmenter import EncodedImage
from training.evaluation.attribution import TruePrompts


class Encoder:
    def encode_image(self, image: np.ndarray) -> np.ndarray:
        return image


def test_everything_that_can_be_asked_for_is_shown() -> None:
    room = block_room(0)
    targets = [item for item in room.objects if item.is_target]
    truths = iter([room.mask([item.id]) for item in targets])

    def oracle(encoded: EncodedImage, prompts: TruePrompts) -> np.ndarray:
        truth = next(truths)
        u, v = prompts.click
        assert truth[v, u]
        return np.stack([truth, np.zeros_like(truth)])

    found = shown(Encoder(), oracle, room)  # type: ignore[arg-type]
    assert [thing.px for thing in found] == [item.visible_px for item in targets]
    assert {(thing.click, thing.box) for thing in found} == {(1.0, 0.0)}


def test_figures() -> None:
    things = [Shown(50, 0.4, 0.1), Shown(900, 0.8, 0.3)]
    expected = {"things": 2, "click": 0.6, "box": 0.2, "hits": 0.5}
    assert figures(things) == pytest.approx(expected)
    assert figures([])["click"] is None
