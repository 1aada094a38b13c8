"""Triangle meshes from a few primitives: boxes, surfaces of revolution, tubes, extrusions.

A mesh is a soup of triangles with a normal for each corner, so that parts can be joined and moved
without index bookkeeping. Winding does not matter: the renderer turns normals towards the viewer.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lisa_ros.types import Float32Array, Float64Array

Vector = Sequence[float] | npt.NDArray[np.floating]

# Neighbouring facets whose normals agree more than this are shaded as one smooth surface.
_SMOOTH_COSINE = 0.6


@dataclass(frozen=True, eq=False)
class Mesh:
    """T triangles. corners: f32[T,3,3] m. normals: f32[T,3,3], one for each corner."""

    corners: Float32Array
    normals: Float32Array

    def moved(self, offset: Vector) -> Mesh:
        """The mesh shifted by `offset` (3 values, m)."""
        return Mesh(self.corners + np.asarray(offset, np.float32), self.normals)

    def rotated(self, axis: str, angle_rad: float) -> Mesh:
        """The mesh turned about a coordinate axis ("x", "y" or "z") through the origin."""
        turn = rotation(axis, angle_rad).astype(np.float32).T
        return Mesh(self.corners @ turn, self.normals @ turn)

    def scaled(self, factors: Vector) -> Mesh:
        """The mesh stretched along the axes; normals follow by the inverse factors."""
        factor = np.asarray(factors, np.float32)
        normals = self.normals / factor
        normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
        return Mesh(self.corners * factor, normals)


def rotation(axis: str, angle_rad: float) -> Float64Array:
    """f64[3,3], the right-handed rotation about a coordinate axis."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = c
    turn[first, second], turn[second, first] = -s, s
    return turn


def join(meshes: Iterable[Mesh]) -> Mesh:
    """One mesh of all triangles."""
    parts = list(meshes)
    return Mesh(
        np.concatenate([part.corners for part in parts]),
        np.concatenate([part.normals for part in parts]),
    )


def box(size: Vector, center: Vector = (0.0, 0.0, 0.0)) -> Mesh:
    """An axis-aligned box: 12 triangles."""
    corners = _UNIT_BOX.corners * np.asarray(size, np.float32) + np.asarray(center, np.float32)
    return Mesh(corners, _UNIT_BOX.normals)


def lathe(profile: Sequence[tuple[float, float]] | Float64Array, sides: int = 20) -> Mesh:
    """The surface swept by the polyline `profile` of (radius, height) about the z axis."""
    line = np.asarray(profile, np.float64)
    step = np.diff(line, axis=0)
    facing = np.stack([step[:, 1], -step[:, 0]], axis=1)
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
    start, end = _smoothed(facing, closed=False)
    angle = np.linspace(0.0, 2 * np.pi, sides + 1)
    cos, sin = np.cos(angle), np.sin(angle)

    def sweep(points: Float64Array) -> Float64Array:
        x = points[:, None, 0] * cos
        y = points[:, None, 0] * sin
        return np.stack([x, y, np.broadcast_to(points[:, None, 1], x.shape)], axis=-1)

    low, high = sweep(line[:-1]), sweep(line[1:])
    low_n, high_n = sweep(start), sweep(end)
    quads = np.stack([low[:, :-1], low[:, 1:], high[:, 1:], high[:, :-1]], axis=2)
    normals = np.stack([low_n[:, :-1], low_n[:, 1:], high_n[:, 1:], high_n[:, :-1]], axis=2)
    return _from_quads(quads.reshape(-1, 4, 3), normals.reshape(-1, 4, 3))


def cylinder(radius: float, height: float, sides: int = 20) -> Mesh:
    """An upright cylinder that stands on z = 0."""
    return _unit_cylinder(sides).scaled((radius, radius, height))


def ellipsoid(radii: Vector, center: Vector = (0.0, 0.0, 0.0), sides: int = 16) -> Mesh:
    """An ellipsoid about `center`."""
    return _unit_ball(sides).scaled(radii).moved(center)


def tube(
    path: Sequence[Vector] | Float64Array,
    radius: float | Sequence[float] | Float64Array,
    sides: int = 8,
    closed: bool = False,
) -> Mesh:
    """A round tube along `path` [P,3], capped if open. radius: one, or one for each point."""
    points = np.asarray(path, np.float64)
    radii = np.broadcast_to(np.asarray(radius, np.float64), (len(points),)).copy()
    if closed:
        points, radii = np.vstack([points, points[:1]]), np.append(radii, radii[0])
        tangent = np.roll(points[:-1], -1, axis=0) - np.roll(points[:-1], 1, axis=0)
        tangent = np.vstack([tangent, tangent[:1]])
    else:
        tangent = np.gradient(points, axis=0)
        points = np.vstack([points[:1], points, points[-1:]])
        tangent = np.vstack([tangent[:1], tangent, tangent[-1:]])
        radii = np.concatenate([[0.0], radii, [0.0]])
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
    # The direction least parallel to the path keeps the frame from flipping on our gentle curves.
    spread = np.abs(tangent).max(axis=0)
    up = np.eye(3)[int(np.argmin(spread))]
    side = np.cross(tangent, up)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12)
    other = np.cross(tangent, side)
    angle = np.linspace(0.0, 2 * np.pi, sides + 1)[None, :, None]
    out = side[:, None] * np.cos(angle) + other[:, None] * np.sin(angle)
    rings = points[:, None] + radii[:, None, None] * out
    quads = np.stack([rings[:-1, :-1], rings[:-1, 1:], rings[1:, 1:], rings[1:, :-1]], axis=2)
    normals = np.stack([out[:-1, :-1], out[:-1, 1:], out[1:, 1:], out[1:, :-1]], axis=2)
    if not closed:
        normals[0], normals[-1] = -tangent[0], tangent[-1]
    return _from_quads(quads.reshape(-1, 4, 3), normals.reshape(-1, 4, 3))


def ring(radius: float, thickness: float, sides: int = 20, tube_sides: int = 6) -> Mesh:
    """A torus about the z axis with its centre line on z = 0."""
    angle = np.linspace(0.0, 2 * np.pi, sides, endpoint=False)
    path = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros(sides)], axis=1)
    return tube(path, thickness, tube_sides, closed=True)


def extrude(outline: Float64Array, height: float) -> Mesh:
    """The star-shaped polygon `outline` [P,2], raised from z = 0 to `height`."""
    around = np.roll(outline, -1, axis=0)
    edge = around - outline
    facing = np.stack([edge[:, 1], -edge[:, 0]], axis=1)
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
    start, end = _smoothed(facing, closed=True)

    def lift(points: Float64Array, z: float) -> Float64Array:
        return np.column_stack([points, np.full(len(points), z)])

    low, low_next = lift(outline, 0.0), lift(around, 0.0)
    high, high_next = lift(outline, height), lift(around, height)
    walls = np.stack([low, low_next, high_next, high], axis=1)
    first, second = lift(start, 0.0), lift(end, 0.0)
    mesh = _from_quads(walls, np.stack([first, second, second, first], axis=1))
    middle = outline.mean(axis=0)
    lids = []
    for z, ends in ((0.0, (low, low_next)), (height, (high, high_next))):
        hub = np.broadcast_to(np.append(middle, z), low.shape)
        corners = np.stack([hub, *ends], axis=1).astype(np.float32)
        normals = np.zeros_like(corners)
        normals[..., 2] = 1.0 if z else -1.0
        lids.append(Mesh(corners, normals))
    return join([mesh, *lids])


def rounded_rectangle(width: float, length: float, radius: float) -> Float64Array:
    """f64[P,2], the outline of a rectangle about the origin with round corners."""
    angle = np.linspace(0.0, np.pi / 2, 4)
    arc = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    corners = []
    for quarter, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        turn = rotation("z", quarter * np.pi / 2)[:2, :2]
        center = np.array([sx * (width / 2 - radius), sy * (length / 2 - radius)])
        corners.append(center + arc @ turn.T)
    return np.concatenate(corners)


def _smoothed(facing: Float64Array, closed: bool) -> tuple[Float64Array, Float64Array]:
    """Normals at the start and the end of each facet, blended across smooth joints."""
    before, after = np.roll(facing, 1, axis=0), np.roll(facing, -1, axis=0)
    if not closed:
        before[0], after[-1] = facing[0], facing[-1]

    def blend(neighbour: Float64Array) -> Float64Array:
        smooth = (facing * neighbour).sum(axis=1, keepdims=True) > _SMOOTH_COSINE
        mixed = np.where(smooth, facing + neighbour, facing)
        mixed /= np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-12)
        return mixed

    return blend(before), blend(after)


def _from_quads(quads: Float64Array, normals: Float64Array) -> Mesh:
    """Split quads [Q,4,3] into triangles and drop those without area (at poles and caps)."""
    pick = [[0, 1, 2], [0, 2, 3]]
    corners = quads[:, pick].reshape(-1, 3, 3)
    bends = normals[:, pick].reshape(-1, 3, 3)
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    keep = np.einsum("ij,ij->i", area, area) > 1e-22
    return Mesh(corners[keep].astype(np.float32), bends[keep].astype(np.float32))


@functools.cache
def _unit_ball(sides: int) -> Mesh:
    angle = np.linspace(-np.pi / 2, np.pi / 2, sides // 2 + 1)
    return lathe(np.stack([np.cos(angle), np.sin(angle)], axis=1), sides)


@functools.cache
def _unit_cylinder(sides: int) -> Mesh:
    return lathe([(0, 0), (1, 0), (1, 1), (0, 1)], sides)


def _unit_box() -> Mesh:
    quads, normals = [], []
    for axis in range(3):
        for side in (-0.5, 0.5):
            quad = np.zeros((4, 3))
            quad[:, axis] = side
            quad[:, (axis + 1) % 3] = (-0.5, 0.5, 0.5, -0.5)
            quad[:, (axis + 2) % 3] = (-0.5, -0.5, 0.5, 0.5)
            quads.append(quad)
            normals.append(np.tile(np.sign(side) * np.eye(3)[axis], (4, 1)))
    return _from_quads(np.array(quads), np.array(normals))


_UNIT_BOX = _unit_box()
