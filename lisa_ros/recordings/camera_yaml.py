"""A camera's calibration as ROS's camera_calibration_parsers write it, `camera_info.yaml`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lisa_ros.errors import CameraInfoError, DatasetError
from lisa_ros.geometry import CameraInfo, CameraModel, camera_model
from lisa_ros.recordings.documents import Document, read_yaml_document
from lisa_ros.types import Intrinsics

_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def read_camera_info(path: Path) -> CameraInfo:
    """Read a calibration. Raises DatasetError naming file and key."""
    document = read_yaml_document(path)
    return CameraInfo(
        width=document.integer("image_width"),
        height=document.integer("image_height"),
        k=_matrix(document, "camera_matrix", 9),
        p=_matrix(document, "projection_matrix", 12),
        d=_matrix(document, "distortion_coefficients", None),
        distortion_model=document.text("distortion_model"),
    )


def read_camera_model(path: Path, *, rectified: bool, image_size: tuple[int, int]) -> CameraModel:
    """How the pixels of an image of size (H, W) look into the world: P if rectified, else K and D.

    Raises:
        DatasetError: the file is malformed, for another size, or not of a calibrated camera.

    """
    info = read_camera_info(path)
    try:
        return camera_model(info, rectified=rectified, image_size=image_size)
    except CameraInfoError as error:
        raise DatasetError(f"{path}: {error}") from error


def camera_info_yaml(info: CameraInfo, camera_name: str = "camera") -> bytes:
    """The content of a `camera_info.yaml`; a region of interest or binning cannot be said in it.

    The rectification matrix is written as the identity, as all cameras but stereo pairs have it.

    Raises:
        CameraInfoError: the calibration has a region of interest or binning.

    """
    roi = info.roi
    cropped = roi.width not in (0, info.width) or roi.height not in (0, info.height)
    if cropped or roi.x_offset or roi.y_offset or max(info.binning_x, info.binning_y) > 1:
        raise CameraInfoError(
            f"got camera_info with {roi} and binning {info.binning_x}x{info.binning_y}, expected "
            "the calibration of the image as it is; pass camera_info_of(intrinsics)"
        )
    values = {
        "image_width": info.width,
        "image_height": info.height,
        "camera_name": camera_name,
        "camera_matrix": _values(3, 3, info.k),
        "distortion_model": info.distortion_model or "plumb_bob",
        "distortion_coefficients": _values(1, len(info.d), info.d),
        "rectification_matrix": _values(3, 3, _IDENTITY),
        "projection_matrix": _values(3, 4, info.p),
    }
    text: str = yaml.safe_dump(values, sort_keys=False, default_flow_style=None)
    return text.encode()


def camera_info_of(intrinsics: Intrinsics) -> CameraInfo:
    """The calibration of a pinhole: no distortion, K and P alike."""
    fx, fy, cx, cy = intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy
    return CameraInfo(
        width=intrinsics.width,
        height=intrinsics.height,
        k=(fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0),
        p=(fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0),
        d=(0.0,) * 5,
        distortion_model="plumb_bob",
    )


def _matrix(document: Document, key: str, count: int | None) -> tuple[float, ...]:
    return document.child(key).numbers("data", count)


def _values(rows: int, columns: int, data: Sequence[float]) -> dict[str, Any]:
    return {"rows": rows, "cols": columns, "data": [float(value) for value in data]}
