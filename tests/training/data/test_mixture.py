"""Which samples a run sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lisa_ros.errors import ConfigurationError, DatasetError
from training.data.mixture import Group, Mixture
from training.data.sample import NothingToAskError, Problem, Sample


@dataclass(frozen=True)
class Numbers:
    """A dataset whose images are named by their index and a further draw."""

    name: str
    size: int
    speechless: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return self.size

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        if index in self.speechless:
            raise NothingToAskError(f"image {index}")
        image = Path(f"{index}-{rng.integers(1000)}")
        return Sample(self.name, image, (), np.zeros((0, 1, 1), np.uint8))

    def counts(self) -> Mapping[str, int]:
        return {"images": self.size}

    def problems(self) -> Iterator[Problem]:
        return iter(())


GROUPS = (
    Group("sem_seg", 9, (Numbers("ade20k", 5), Numbers("paco", 7))),
    Group("refer_seg", 3, (Numbers("refcoco", 11),)),
)


def test_a_sample_depends_on_its_number_alone() -> None:
    forwards = [Mixture(GROUPS, seed=3).sample(n).image for n in range(50)]
    mixture = Mixture(GROUPS, seed=3)
    backwards = [mixture.sample(n).image for n in reversed(range(50))]
    assert forwards == backwards[::-1]
    assert forwards != [Mixture(GROUPS, seed=4).sample(n).image for n in range(50)]


def test_groups_are_drawn_by_weight_and_their_datasets_evenly() -> None:
    n = 4000
    counts = Mixture(GROUPS, seed=0).counts(range(n))
    expected = {"ade20k": 9 / 24, "paco": 9 / 24, "refcoco": 3 / 12}
    for name, share in expected.items():
        # Five standard deviations of a binomial share.
        assert abs(counts[name] / n - share) < 5 * np.sqrt(share * (1 - share) / n)


def test_counts_are_of_what_is_drawn() -> None:
    mixture = Mixture(GROUPS, seed=1)
    drawn = [mixture.sample(n).dataset for n in range(30)]
    assert mixture.counts(range(30)) == {name: drawn.count(name) for name in mixture.counts([])}


def test_an_image_with_nothing_to_ask_for_makes_room_for_another() -> None:
    mostly = Numbers("ade20k", 4, speechless=frozenset({0, 1, 2}))
    mixture = Mixture([Group("sem_seg", 1, (mostly,))], seed=0)
    assert all(mixture.sample(n).image.name.startswith("3-") for n in range(20))
    never = Numbers("ade20k", 2, speechless=frozenset({0, 1}))
    with pytest.raises(DatasetError, match="ade20k"):
        Mixture([Group("sem_seg", 1, (never,))], seed=0).sample(0)


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ((), "no datasets"),
        ((Group("vqa", 0, (Numbers("llava", 1),)),), "weight"),
        ((Group("vqa", 1, (Numbers("llava", 0),)),), "llava"),
        ((Group("vqa", 1, ()),), "no datasets"),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(groups: tuple[Group, ...], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Mixture(groups, seed=0)
