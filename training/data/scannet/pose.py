"""Camera poses: whether tracking had one, and the exact rotation next to what was stored."""

from __future__ import annotations

import numpy as np

from lisa_ros.types import Float64Array

_ROW_TOLERANCE = 1e-4
_VOLUME_TOLERANCE = 1e-2


def tracked_pose(matrix: Float64Array) -> Float64Array | None:
    """Give a stored camera-to-world matrix f64[4,4] as it is, or None where tracking was lost.

    ScanNet fills such matrices with -inf. Anything else that is no rigid transform counts as lost
    too: all finite, last row 0 0 0 1 and a determinant within 1 % of one are asked for.
    """
    if not np.isfinite(matrix).all():
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        volume = float(np.linalg.det(matrix[:3, :3]))
    straight = np.allclose(matrix[3], [0, 0, 0, 1], rtol=0, atol=_ROW_TOLERANCE)
    return matrix if straight and abs(volume - 1) < _VOLUME_TOLERANCE else None


def nearest_rigid(matrix: Float64Array) -> Float64Array:
    """Give the rigid transform f64[4,4] nearest to a valid pose.

    Stored poses carry float32 or six decimals, which is further from a rotation than
    `lisa_ros.geometry` accepts.
    """
    left, _, right = np.linalg.svd(matrix[:3, :3])
    rigid = np.eye(4)
    rigid[:3, :3] = left @ right
    rigid[:3, 3] = matrix[:3, 3]
    return rigid
