"""What is read ahead for a run, and what it says of a file that cannot be read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from run_setup import write_run

from lisa_ros.errors import DatasetError
from training.config import load_config
from training.data.variation import Variation
from training.ranks import ALONE, Ranks
from training.run_config import RunConfig
from training.run_data import micro_batches, open_mixture


class Counted:
    """A mixture whose samples are their numbers, all but one of which can be read."""

    def sample(self, number: int) -> int:
        if number == 10:
            raise DatasetError("kitchen/10.png cannot be read as an image.")
        return number


def as_it_is(samples: Sequence[Any]) -> Any:
    return list(samples)


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_come_in_order_and_an_error_in_its_own_words(tmp_path: Path, workers: int) -> None:
    config = load_config(
        RunConfig, write_run(tmp_path), [f"workers={workers}", "micro_batch=2", "steps=3"]
    )
    mixture: Any = Counted()
    assert next(micro_batches(mixture, as_it_is, config, Ranks(1, 2), 1)) == [6, 7]  # type: ignore[arg-type]
    batches = micro_batches(mixture, as_it_is, config, ALONE, 1)  # type: ignore[arg-type]
    assert [next(batches) for _ in range(3)] == [[4, 5], [6, 7], [8, 9]]
    with pytest.raises(DatasetError) as caught:
        next(batches)
    assert str(caught.value) == "kitchen/10.png cannot be read as an image."


def test_a_source_that_varies_gives_parts_of_its_images(tmp_path: Path) -> None:
    config = load_config(RunConfig, write_run(tmp_path))
    (group,) = config.data
    (source,) = group.datasets
    for vary, sizes in ((None, 1), (Variation(crops=0.3), 5)):
        varied = dataclasses.replace(source, vary=vary)
        mixture = open_mixture((dataclasses.replace(group, datasets=(varied,)),), seed=0)
        seen = {mixture.sample(number).masks.shape[1:] for number in range(40)}
        assert len(seen) >= sizes
        assert (len(seen) == 1) == (vary is None)
