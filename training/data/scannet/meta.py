"""A scan's `<id>.txt`: lines of `key = value` about the recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.types import Float64Array
from training.data.scannet.pose import tracked_pose

_ALIGNMENT_KEY = "axisAlignment"


@dataclass(frozen=True)
class ScanMeta:
    """What the text file says; all of it, as text, in `values`.

    T_aligned_world: f64[4,4], scan world to axis-aligned world: the identity for test scans, which
    have none. Meshes and poses are in the un-aligned world. num_color_frames may be one more than
    the `.sens` holds, which is the one to believe. `colorToDepthExtrinsics` is not for released
    recordings, whose depth is registered already: use those of the `.sens` header.
    """

    values: dict[str, str]
    T_aligned_world: Float64Array
    num_color_frames: int | None
    scene_type: str | None


def read_meta(path: Path) -> ScanMeta:
    """Read a scan's text file.

    Raises:
        DatasetError: missing, or a value that is not what its key needs; names the key.

    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); download it again.") from error
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        key, separator, value = line.partition("=")
        if separator:
            values[key.strip()] = value.strip()
        elif line.strip():
            raise DatasetError(
                f"{path}, line {number}: got {line[:80]!r}, expected `key = value`; download the "
                "file again."
            )
    frames = values.get("numColorFrames")
    return ScanMeta(
        values=values,
        T_aligned_world=_alignment(path, values.get(_ALIGNMENT_KEY)),
        num_color_frames=None if frames is None else _count(path, frames),
        scene_type=values.get("sceneType"),
    )


def _alignment(path: Path, value: str | None) -> Float64Array:
    if value is None:
        return np.eye(4)
    try:
        matrix = np.array([float(number) for number in value.split()]).reshape(4, 4)
    except ValueError as error:
        raise DatasetError(
            f"{path}: {_ALIGNMENT_KEY} = {value[:200]!r}, expected 16 numbers; download the file "
            "again."
        ) from error
    if tracked_pose(matrix) is None:
        raise DatasetError(
            f"{path}: {_ALIGNMENT_KEY} = {value[:200]!r} is no rigid transform; download the file "
            "again."
        )
    return matrix


def _count(path: Path, value: str) -> int:
    if not (value.isdecimal() and len(value) < 10):
        raise DatasetError(
            f"{path}: numColorFrames = {value[:80]!r}, expected a count; download the file again."
        )
    return int(value)
