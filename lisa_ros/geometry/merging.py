"""Connected components of a graph, by passes over whole arrays instead of one node at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IndexArray = npt.NDArray[np.intp]


def merge_labels(count: int, first: IndexArray, second: IndexArray) -> IndexArray:
    """Give each of count nodes the number of its component, intp[count] with values 0..m-1.

    first, second: intp[E], the nodes that each edge joins. Components are numbered by their
    smallest node. As in parallel algorithms (Shiloach and Vishkin, "An O(log n) parallel
    connectivity algorithm", 1982), every tree hooks onto a neighbouring tree with a smaller root
    and becomes flat again, until no edge joins two trees.
    """
    root = np.arange(count, dtype=np.intp)
    while True:
        first, second = root[first], root[second]
        apart = first != second
        if not apart.any():
            break
        first, second = first[apart], second[apart]
        np.minimum.at(root, np.maximum(first, second), np.minimum(first, second))
        root = _flattened(root)
    number: IndexArray = np.cumsum(root == np.arange(count)) - 1
    return number[root]


def _flattened(root: IndexArray) -> IndexArray:
    while True:
        above = root[root]
        if np.array_equal(above, root):
            return root
        root = above
