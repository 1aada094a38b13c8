"""A benchmark that cannot be run says why in a sentence."""

from __future__ import annotations

import pytest

from benchmarks.command import run
from lisa_ros.errors import CheckpointNotFoundError


def test_an_error_of_ours_is_a_sentence_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    def measure() -> None:
        raise CheckpointNotFoundError("no checkpoint 'nowhere'")

    assert run(measure) == 1
    assert capsys.readouterr().err == "error: no checkpoint 'nowhere'\n"


def test_any_other_error_is_a_defect_and_shows_its_traceback() -> None:
    def measure() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(measure)


def test_a_measurement_ends_with_zero() -> None:
    assert run(lambda: None) == 0
