"""The coloured points of the targets, as a PointCloud2."""

from __future__ import annotations

import array

import numpy as np
from sensor_msgs.msg import PointCloud2, PointField

from lisa_ros.geometry import deproject
from lisa_ros.nodes.answers import Answer
from lisa_ros.nodes.conversions import image_header, label_image
from lisa_ros.types import Float32Array, Float64Array, Intrinsics

_POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4"), ("target_id", "<u1")])


def target_cloud_message(answer: Answer) -> PointCloud2 | None:
    """Return every measured pixel of every mask, or None for an answer without depth.

    Fields: x, y, z (m, camera optical frame), rgb (packed as 0x00RRGGBB, as RViz and PCL read it),
    target_id.
    """
    labels = label_image(answer)
    frame = answer.frame
    if labels is None or frame is None or frame.depth_m is None or frame.intrinsics is None:
        return None
    xyz = _points(frame.depth_m, frame.intrinsics, frame.rays)
    shown = (labels > 0) & np.isfinite(xyz).all(axis=2)
    red, green, blue = (frame.image[shown][:, channel].astype(np.uint32) for channel in range(3))
    points = np.empty(int(shown.sum()), dtype=_POINT)
    points["x"], points["y"], points["z"] = xyz[shown].T
    points["rgb"] = (red << 16) | (green << 8) | blue
    points["target_id"] = labels[shown]
    data = array.array("B")
    data.frombytes(points.tobytes())
    return PointCloud2(
        header=image_header(answer),
        height=1,
        width=len(points),
        fields=_fields(),
        is_bigendian=False,
        point_step=_POINT.itemsize,
        row_step=_POINT.itemsize * len(points),
        data=data,
        is_dense=True,
    )


def _points(
    depth_m: Float32Array, intrinsics: Intrinsics, rays: Float64Array | None
) -> Float32Array:
    """Return the points f32[H,W,3] m of all pixels, NaN where there is no depth or no ray."""
    if rays is None:
        return deproject(depth_m, intrinsics)
    return np.dstack([rays * depth_m[:, :, None], depth_m]).astype(np.float32)


def _fields() -> list[PointField]:
    codes = {
        "x": PointField.FLOAT32,
        "y": PointField.FLOAT32,
        "z": PointField.FLOAT32,
        "rgb": PointField.UINT32,
        "target_id": PointField.UINT8,
    }
    offsets = {name: int(_POINT.fields[name][1]) for name in codes} if _POINT.fields else {}
    return [
        PointField(name=name, offset=offsets[name], datatype=code, count=1)
        for name, code in codes.items()
    ]
