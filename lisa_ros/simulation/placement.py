"""Things on a table: the ground that each needs, and whether two of them collide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lisa_ros.simulation.material import Part
from lisa_ros.simulation.mesh import rotation
from lisa_ros.simulation.scene import PlacedParts
from lisa_ros.types import Float64Array


@dataclass(frozen=True, eq=False)
class Footprint:
    """The oriented rectangle of a thing on the table.

    center: f64[2] m. corners: f64[4,2] m. axes: f64[2,2], its directions as columns. reach: half
    its diagonal. height: of the thing above it.
    """

    center: Float64Array
    corners: Float64Array
    axes: Float64Array
    yaw: float
    reach: float
    height: float

    def overlaps(self, other: Footprint, gap: float) -> bool:
        """Whether less than `gap` metres lie between the two: a separating axis test."""
        apart = self.center - other.center
        if float(apart @ apart) > (self.reach + other.reach + gap) ** 2:
            return False
        for axes in (self.axes, other.axes):
            here, there = self.corners @ axes, other.corners @ axes
            after = here.min(axis=0) > there.max(axis=0) + gap
            before = here.max(axis=0) < there.min(axis=0) - gap
            if (after | before).any():
                return False
        return True


@dataclass(frozen=True, eq=False)
class Thing:
    """Parts with their bounds: low and high are f64[3] m, in the coordinates of the object."""

    parts: Sequence[Part]
    low: Float64Array
    high: Float64Array

    @classmethod
    def of(cls, parts: Sequence[Part], scale: float) -> Thing:
        """The parts grown by `scale`."""
        grown = [Part(part.mesh.scaled((scale,) * 3), part.material) for part in parts]
        points = np.concatenate([part.mesh.corners.reshape(-1, 3) for part in grown])
        return cls(grown, points.min(axis=0).astype(float), points.max(axis=0).astype(float))

    @property
    def reach(self) -> float:
        """Half the diagonal of the ground it needs."""
        return float(np.hypot(*(self.high - self.low)[:2])) / 2

    @property
    def height(self) -> float:
        """How far it rises above the table."""
        return float(self.high[2])

    def standing(self, center: Float64Array, yaw: float) -> Footprint:
        """Its rectangle when the middle of its ground is at `center` f64[2]."""
        axes = rotation("z", yaw)[:2, :2]
        half = (self.high - self.low)[:2] / 2
        signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        corners = (signs * half) @ axes.T + center
        return Footprint(center, corners, axes, yaw, self.reach, self.height)

    def placed(self, instance: int, footprint: Footprint) -> PlacedParts:
        """The parts with the pose that puts them on `footprint`."""
        pose = np.eye(4)
        pose[:3, :3] = rotation("z", footprint.yaw)
        pose[:2, 3] = footprint.center - footprint.axes @ ((self.low + self.high)[:2] / 2)
        return PlacedParts(instance, self.parts, pose)
