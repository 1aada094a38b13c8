"""The golden data is complete: a missing array or file is a failure, not a case less."""

from __future__ import annotations

import numpy as np
from golden_data import GoldenSet


def test_every_array_of_the_manifest_is_there(golden_set: GoldenSet) -> None:
    problems = []
    for file, specs in golden_set.specs.items():
        path = golden_set.root / file
        if not path.is_file():
            problems.append(f"{file} is missing")
            continue
        with np.load(path) as arrays:
            for spec in specs:
                if spec["name"] not in arrays.files:
                    problems.append(f"{file} has no {spec['name']}")
                    continue
                array = arrays[spec["name"]]
                if list(array.shape) != spec["shape"] or str(array.dtype) != spec["dtype"]:
                    problems.append(f"{file}: {spec['name']} is {array.dtype}{list(array.shape)}")
    assert not problems


def test_every_file_of_the_manifest_has_its_size(golden_set: GoldenSet) -> None:
    wrong = [
        name
        for name, size in golden_set.file_sizes.items()
        if not (path := golden_set.root / name).is_file() or path.stat().st_size != size
    ]
    assert not wrong


def test_every_file_of_arrays_is_listed(golden_set: GoldenSet) -> None:
    """Arrays that no cases.json or no manifest names would never be compared."""
    known = {golden.file for golden in [*golden_set.cases, *golden_set.images]}
    found = {str(p.relative_to(golden_set.root)) for p in golden_set.root.glob("g1/*/*.npz")}
    named = {file for file in golden_set.specs if file.startswith("g1/")}
    assert found == known == named


def test_every_case_has_its_checkpoint_and_image(golden_set: GoldenSet) -> None:
    cases = golden_set.cases
    assert {case.checkpoint for case in cases} <= set(golden_set.checkpoints)
    assert all(case.image.is_file() for case in cases)
