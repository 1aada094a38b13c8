"""Distance of a point to a set of triangles."""

from __future__ import annotations

import numpy as np

from lisa_ros.types import Float64Array


def distance_to_triangles(point: Float64Array, triangles: Float64Array) -> float:
    """Distance, m, of point f64[3] to the nearest of triangles f64[F,3,3]; F must not be 0.

    The nearest point of a triangle is the foot of the perpendicular where that lies inside, and on
    an edge otherwise. Triangles without area count as their edges.
    """
    corners = triangles - point
    nearest = np.inf
    for a, b in ((0, 1), (1, 2), (2, 0)):
        nearest = min(nearest, float(_to_segments(corners[:, a], corners[:, b]).min()))
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(u, v)
    squared = (normal * normal).sum(axis=1)
    solid = squared > 0
    u, v, normal, squared = u[solid], v[solid], normal[solid], squared[solid]
    to_point = -corners[solid, 0]
    along_u = (np.cross(to_point, v) * normal).sum(axis=1) / squared
    along_v = (np.cross(u, to_point) * normal).sum(axis=1) / squared
    inside = (along_u >= 0) & (along_v >= 0) & (along_u + along_v <= 1)
    heights = np.abs((to_point * normal).sum(axis=1)) / np.sqrt(squared)
    return min(nearest, float(heights[inside].min(initial=np.inf)))


def _to_segments(start: Float64Array, end: Float64Array) -> Float64Array:
    """Distances f64[F] of the origin to segments."""
    direction = end - start
    squared = (direction * direction).sum(axis=1)
    share = -(start * direction).sum(axis=1) / np.where(squared > 0, squared, 1)
    foot = start + np.clip(share, 0, 1)[:, None] * direction
    distances: Float64Array = np.linalg.norm(foot, axis=1)
    return distances
