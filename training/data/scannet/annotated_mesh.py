"""The annotated mesh of a scan: which vertices and triangles belong to which object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lisa_ros.types import Float64Array
from training.data.scannet.aggregation import ScanObject
from training.data.scannet.labels import LabelTable


@dataclass(frozen=True)
class AnnotatedMesh:
    """A mesh in the un-aligned scan world.

    positions: f64[V,3] m. triangles: i64[F,3]. instances: i32[V], object id + 1, 0 for none.
    """

    positions: Float64Array
    triangles: npt.NDArray[np.int64]
    instances: npt.NDArray[np.int32]

    def vertices_of(self, instance: int) -> Float64Array:
        """The vertices f64[n,3] of one object."""
        vertices: Float64Array = self.positions[self.instances == instance]
        return vertices

    def triangles_of(self, instance: int) -> Float64Array:
        """The triangles f64[n,3,3] whose corners all belong to one object."""
        inside = (self.instances == instance)[self.triangles].all(axis=1)
        triangles: Float64Array = self.positions[self.triangles[inside]]
        return triangles


def nyu40_of_vertices(
    instances: npt.NDArray[np.int32], objects: Sequence[ScanObject], table: LabelTable
) -> npt.NDArray[np.int32]:
    """Give vertices i32[V] of instances their NYU40 class; 0 for none or a name not in the table.

    The class is that of the object's name: numbers of the table are ambiguous.
    """
    classes: Mapping[int, int] = {
        found.object_id + 1: table.by_name[found.label].nyu40id
        for found in objects
        if found.label in table.by_name
    }
    present, inverse = np.unique(instances, return_inverse=True)
    values = np.array([classes.get(value, 0) for value in present.tolist()], np.int32)
    return values[inverse]
