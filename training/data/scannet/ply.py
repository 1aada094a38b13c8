"""Binary PLY meshes: vertices with whatever properties they have, and triangles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DatasetError
from lisa_ros.types import Float64Array
from training.data.scannet.checked_file import CheckedFile

_MAX_HEADER_BYTES = 2**16
_SCALARS = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "<i2", "int16": "<i2", "ushort": "<u2", "uint16": "<u2",
    "int": "<i4", "int32": "<i4", "uint": "<u4", "uint32": "<u4",
    "float": "<f4", "float32": "<f4", "double": "<f8", "float64": "<f8",
}  # fmt: skip
_INTEGERS = frozenset(name for name in _SCALARS if not name.startswith(("float", "double")))
_TRIANGLE = np.dtype([("count", "u1"), ("vertices", "<i4", 3)])


@dataclass(frozen=True)
class Mesh:
    """Vertices as the file has them, and triangles.

    properties: structured [V]. triangles: int[F,3], indices of vertices.
    """

    properties: np.ndarray[Any, np.dtype[np.void]]
    triangles: npt.NDArray[np.int64]

    @property
    def positions(self) -> Float64Array:
        """Vertices f64[V,3], metres, in the file's frame."""
        return np.stack([self.properties[axis].astype(np.float64) for axis in "xyz"], axis=-1)


def read_ply(path: Path) -> Mesh:
    """Read a binary little-endian PLY whose elements are `vertex` and, after it, `face`.

    Raises:
        DatasetError: missing, truncated, not triangles, or laid out otherwise; says how.

    """
    file = CheckedFile(path)
    try:
        lines, position = _header(file)
        vertex, vertex_count, face, face_count = _layout(path, lines)
        size = vertex.itemsize * vertex_count
        vertices = np.frombuffer(file.read(size, position, "the vertices"), vertex)
        data = file.read(face.itemsize * face_count, position + size, "the faces")
    finally:
        file.close()
    if not all(np.isfinite(vertices[axis]).all() for axis in "xyz"):
        raise DatasetError(f"{path}: has vertices that are not finite; download the file again.")
    faces = np.frombuffer(data, face)
    if (faces["count"] != 3).any():
        raise DatasetError(f"{path}: has faces that are no triangles; expected ScanNet's meshes.")
    triangles = faces["vertices"].astype(np.int64)
    if triangles.size and not (triangles.min() >= 0 and triangles.max() < vertex_count):
        raise DatasetError(
            f"{path}: a face names vertex {triangles.max()} or one below 0, expected 0 to "
            f"{vertex_count - 1}; the file is damaged: download it again."
        )
    return Mesh(vertices, triangles)


def _header(file: CheckedFile) -> tuple[list[str], int]:
    """The lines between the magic and `end_header`, and where the data begin."""
    start = file.read(min(_MAX_HEADER_BYTES, file.size), 0, "the PLY header")
    at = start.find(b"end_header")
    newline = start.find(b"\n", at)
    if not start.startswith(b"ply") or at < 0 or newline < 0:
        raise DatasetError(
            f"{file.path}: no PLY header ending in `end_header` within {_MAX_HEADER_BYTES} bytes; "
            "the file is damaged: download it again."
        )
    lines = start[:at].decode("ascii", "replace").splitlines()[1:]
    return lines, newline + 1


def _layout(path: Path, lines: list[str]) -> tuple[np.dtype[Any], int, np.dtype[Any], int]:
    """Record types and counts of vertices and faces."""
    counts: dict[str, int] = {}
    scalars: list[tuple[str, str]] = []
    face: np.dtype[Any] | None = None
    for line in lines:
        match line.split():
            case [] | ["comment" | "obj_info", *_] | ["format", "binary_little_endian", "1.0"]:
                pass
            case ["element", "vertex" | "face" as what, count] if list(counts) == (
                [] if what == "vertex" else ["vertex"]
            ) and _is_count(count):
                counts[what] = int(count)
            case ["property", kind, name] if list(counts) == ["vertex"] and kind in _SCALARS:
                scalars.append((name, _SCALARS[kind]))
            case ["property", "list", size, kind, "vertex_indices" | "vertex_index"] if (
                "face" in counts and face is None and size in _INTEGERS and kind in _INTEGERS
            ):
                face = np.dtype([("count", _SCALARS[size]), ("vertices", _SCALARS[kind], 3)])
            case _:
                raise DatasetError(
                    f"{path}: the header line {line[:80]!r} is not understood; expected a binary "
                    "little-endian PLY with scalar vertex properties and then vertex_indices."
                )
    if not any(line.startswith("format ") for line in lines) or ("face" in counts and not face):
        raise DatasetError(f"{path}: the header has no format, or faces without vertices.")
    names = [name for name, _ in scalars]
    if not {"x", "y", "z"} <= set(names) or len(set(names)) != len(names):
        raise DatasetError(f"{path}: vertices have {names}, expected x, y, z, each property once.")
    if face is None:  # a cloud of points
        return np.dtype(scalars), counts["vertex"], _TRIANGLE, 0
    return np.dtype(scalars), counts["vertex"], face, counts["face"]


def _is_count(text: str) -> bool:
    return text.isdecimal() and len(text) < 19
