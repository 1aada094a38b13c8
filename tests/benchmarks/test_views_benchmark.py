"""Which group a target counts in, and what an answer is worth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fakes import FakeSegmenter

from benchmarks.views import Question, Tally, groups_of, outcome


def box(left: int, right: int, top: int = 100, bottom: int = 140) -> np.ndarray:
    truth = np.zeros((180, 320), bool)
    truth[top:bottom, left:right] = True
    return truth


@pytest.mark.parametrize(
    ("truth", "groups"),
    [
        (box(0, 40), ("edge",)),
        (box(310, 320), ("edge", "small")),
        (box(40, 99), ("edge",)),  # the centre square begins at column 70
        (box(40, 100), ("other",)),
        (box(150, 169), ("small",)),
        (box(150, 170), ("other",)),
        (box(150, 156), ("other",)),
        (box(0, 0), ("absent",)),
    ],
)
def test_groups(truth: np.ndarray, groups: tuple[str, ...]) -> None:
    assert groups_of(truth) == groups


def test_outcomes() -> None:
    image = np.zeros((180, 320, 3), np.uint8)
    image[100:140, 0:40] = (220, 30, 30)
    answer = FakeSegmenter().segment(image, "red")
    assert outcome(answer, box(0, 40)) == outcome(answer, box(0, 80)) == "right"
    assert outcome(answer, box(0, 81)) == outcome(answer, box(0, 0)) == "wrong"
    assert outcome(FakeSegmenter().segment(image, "blue"), box(0, 40)) == "rejected"
    unmarked = dataclasses.replace(answer, masks=np.zeros_like(answer.masks))
    assert outcome(unmarked, box(0, 0)) == "rejected"


def test_shares_are_of_a_group() -> None:
    image = np.zeros((180, 320, 3), np.uint8)
    image[100:140, 0:40] = (220, 30, 30)
    tally = Tally()
    for text in ("red", "blue", "red"):
        tally.add(Question(text, box(0, 40), ("edge",)), FakeSegmenter().segment(image, text), 1.0)
    assert tally.share("edge", "right") == pytest.approx(2 / 3)
    assert tally.share("small", "right") is None
