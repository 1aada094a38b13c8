"""Connected components of graphs against a walk from node to node."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_ros.geometry.merging import merge_labels

NODES = st.integers(0, 29)


def walked(count: int, edges: list[tuple[int, int]]) -> list[int]:
    label = [-1] * count
    components = 0
    for start in range(count):
        if label[start] >= 0:
            continue
        waiting = [start]
        while waiting:
            node = waiting.pop()
            label[node] = components
            waiting += [b for a, b in edges if a == node and label[b] < 0]
            waiting += [a for a, b in edges if b == node and label[a] < 0]
        components += 1
    return label


@settings(deadline=None)
@given(edges=st.lists(st.tuples(NODES, NODES), max_size=40))
def test_components_are_those_of_a_walk(edges: list[tuple[int, int]]) -> None:
    first, second = np.array(edges, np.intp).reshape(-1, 2).T
    np.testing.assert_array_equal(merge_labels(30, first, second), walked(30, edges))


def test_long_chains_in_any_order() -> None:
    order = np.random.default_rng(0).permutation(20_000)
    assert not merge_labels(20_000, order[:-1], order[1:]).any()
    assert len(merge_labels(0, order[:0], order[:0])) == 0
