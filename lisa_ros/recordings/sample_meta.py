"""When and from where a sample was taken, `<frame>.meta.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from lisa_ros.recordings.documents import Document, read_yaml_document
from lisa_ros.types import Float64Array

_RIGID_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class SampleMeta:
    """What is known about the moment of a sample; None where it is not.

    frame_id: the optical frame of the colour image. T_world_camera: f64[4,4], the camera's optical
    frame in `world_frame`. depth_unit_m: metres in one step of the depth image, where it differs
    from the dataset's. target_point_camera: (x, y, z) m, the true target, measured by
    `target_point_source`.
    """

    stamp_color_ns: int | None = None
    stamp_depth_ns: int | None = None
    frame_id: str | None = None
    depth_frame_id: str | None = None
    T_world_camera: Float64Array | None = None
    world_frame: str | None = None
    depth_unit_m: float | None = None
    target_point_camera: tuple[float, float, float] | None = None
    target_point_source: str | None = None

    @property
    def says_nothing(self) -> bool:
        """Whether nothing is known."""
        return all(value is None for value in vars(self).values())


def read_sample_meta(path: Path) -> SampleMeta:
    """Read a `.meta.yaml`. Raises DatasetError naming file and key."""
    document = read_yaml_document(path)
    point = (
        document.numbers("target_point_camera", 3) if document.has("target_point_camera") else None
    )
    return SampleMeta(
        stamp_color_ns=_integer(document, "stamp_color_ns"),
        stamp_depth_ns=_integer(document, "stamp_depth_ns"),
        frame_id=_text(document, "frame_id"),
        depth_frame_id=_text(document, "depth_frame_id"),
        T_world_camera=_pose(document),
        world_frame=_text(document, "world_frame"),
        depth_unit_m=depth_unit(document),
        target_point_camera=None if point is None else (point[0], point[1], point[2]),
        target_point_source=_text(document, "target_point_source"),
    )


def sample_meta_yaml(meta: SampleMeta) -> bytes:
    """The content of a `.meta.yaml`; what is not known is null."""
    values: dict[str, Any] = dict(vars(meta))
    if meta.T_world_camera is not None:
        values["T_world_camera"] = [float(value) for value in meta.T_world_camera.ravel()]
    if meta.target_point_camera is not None:
        values["target_point_camera"] = [float(value) for value in meta.target_point_camera]
    text: str = yaml.safe_dump(values, sort_keys=False, default_flow_style=None)
    return text.encode()


def depth_unit(document: Document) -> float | None:
    """`depth_unit_m` of a document, metres in one step; None if it has none."""
    if not document.has("depth_unit_m"):
        return None
    unit = document.number("depth_unit_m")
    if unit <= 0:
        document.fail("depth_unit_m", "metres in one step of the depth image, above 0")
    return unit


def _pose(document: Document) -> Float64Array | None:
    if not document.has("T_world_camera"):
        return None
    matrix = np.array(document.numbers("T_world_camera", 16)).reshape(4, 4)
    rotation = matrix[:3, :3]
    rigid = (
        np.allclose(matrix[3], [0, 0, 0, 1])
        and np.allclose(rotation @ rotation.T, np.eye(3), atol=_RIGID_TOLERANCE)
        and np.linalg.det(rotation) > 0
    )
    if not rigid:
        document.fail(
            "T_world_camera",
            "a rigid transform, row by row, with last row 0 0 0 1; null where the pose is unknown",
        )
    return matrix


def _integer(document: Document, key: str) -> int | None:
    return document.integer(key) if document.has(key) else None


def _text(document: Document, key: str) -> str | None:
    return document.text(key) if document.has(key) else None
