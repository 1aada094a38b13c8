"""`--golden-dir DIR`, and the fixtures that remember the deviations (../golden_report.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from golden_data import REPOSITORY_COPY, GoldenSet
from golden_report import report_of
from golden_training import golden_batches
from parity import Deviations

_SET = pytest.StashKey[GoldenSet]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden-dir",
        type=Path,
        default=REPOSITORY_COPY,
        help="a directory of golden data (checkpoints ckpt_*, g1/*/cases.json, MANIFEST.json)",
    )


def _golden_set(config: pytest.Config) -> GoldenSet:
    if _SET not in config.stash:
        # A run of the whole suite reads this file too late for its option to exist.
        root = config.getoption("golden_dir", default=REPOSITORY_COPY)
        if not (root / "MANIFEST.json").is_file():
            raise pytest.UsageError(f"--golden-dir: {root} has no MANIFEST.json")
        config.stash[_SET] = GoldenSet.read(root)
        report_of(config).introduction = tuple(_introduction(config.stash[_SET]))
    return config.stash[_SET]


def _introduction(golden_set: GoldenSet) -> Iterator[str]:
    yield (
        f"{golden_set.root}: {len(golden_set.checkpoints)} checkpoints, "
        f"{len(golden_set.images)} images, {len(golden_set.cases)} cases"
    )
    if golden_set.listed_elsewhere:
        yield (
            f"{len(golden_set.listed_elsewhere)} cases of cases.json are not part of this copy: "
            "neither in MANIFEST.json nor on the disk"
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    golden_set = _golden_set(metafunc.config)
    found = {
        "checkpoint": golden_set.checkpoints,
        "image": golden_set.images,
        "case": golden_set.cases,
        "batch": golden_batches(golden_set),
    }
    for fixture, values in found.items():
        if fixture in metafunc.fixturenames:
            assert values or fixture == "batch", f"{golden_set.root} has no {fixture}"
            metafunc.parametrize(fixture, values, ids=[v.name for v in values])


@pytest.fixture(scope="session")
def golden_set(pytestconfig: pytest.Config) -> GoldenSet:
    return _golden_set(pytestconfig)


@pytest.fixture(scope="session")
def deviations(pytestconfig: pytest.Config) -> Deviations:
    return report_of(pytestconfig).deviations
