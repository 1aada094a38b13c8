"""The folder of one scan, `scans/<id>`: every file of it, read when it is asked for."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DatasetError
from training.data.scannet.aggregation import (
    ScanObject,
    read_objects,
    read_segments,
    vertex_instances,
)
from training.data.scannet.annotated_mesh import AnnotatedMesh
from training.data.scannet.meta import ScanMeta, read_meta
from training.data.scannet.ply import read_ply
from training.data.scannet.projection_zip import Projection, ProjectionZip
from training.data.scannet.sens import SensReader, read_sens_header
from training.data.scannet.sens_header import SensHeader
from training.data.scannet.sens_index import SensIndex
from training.data.scannet.splits import is_scan_id


class ScanFolder:
    """One scan. What is small is kept once it was read; files are opened for every call.

    Test scans have no aggregation, segments, labels and projections: those calls raise.

    Raises:
        DatasetError: no folder called scene%04d_%02d; each call: a file that is missing or
            malformed.

    """

    def __init__(self, path: Path) -> None:
        if not (path.is_dir() and is_scan_id(path.name)):
            raise DatasetError(f"{path}: no scan; expected a folder called like scene0000_00.")
        self.path, self.scan_id = path, path.name
        self._index: SensIndex | None = None

    @property
    def sens_path(self) -> Path:
        """The recording."""
        return self._file(".sens")

    @property
    def mesh_path(self) -> Path:
        """The mesh that is annotated, the decimated one."""
        return self._file("_vh_clean_2.ply")

    @cached_property
    def header(self) -> SensHeader:
        """The recording's header, without looking for its frames."""
        return read_sens_header(self.sens_path)

    @cached_property
    def meta(self) -> ScanMeta:
        """What the `.txt` says."""
        return read_meta(self._file(".txt"))

    @cached_property
    def objects(self) -> tuple[ScanObject, ...]:
        """The annotated objects, each once."""
        return read_objects(self._file(".aggregation.json"))

    def open_sens(self) -> SensReader:
        """Open the recording; only the first call looks for its frames."""
        reader = SensReader(self.sens_path, self._index)
        self._index = reader.index
        return reader

    def open_projection(self, kind: Projection) -> ProjectionZip:
        """Open one of the zips of 2D annotation."""
        return ProjectionZip(self.projection_path(kind), kind)

    def projection_path(self, kind: Projection) -> Path:
        """Where one of these zips is, if it was downloaded."""
        return self._file(f"_2d-{kind}.zip")

    def mesh(self) -> AnnotatedMesh:
        """The annotated mesh. Its segments are those of the decimated mesh, as are the objects'."""
        mesh = read_ply(self.mesh_path)
        path = self._file("_vh_clean_2.0.010000.segs.json")
        segments = read_segments(path)
        if len(segments) != len(mesh.properties):
            raise DatasetError(
                f"{path}: {len(segments)} segment indices for {len(mesh.properties)} vertices; "
                "these files belong to different meshes: download the scan again."
            )
        instances = vertex_instances(self.objects, segments)
        return AnnotatedMesh(mesh.positions, mesh.triangles, instances)

    def vertex_labels(self) -> npt.NDArray[np.int32]:
        """The NYU40 class i32[V] that `_vh_clean_2.labels.ply` gives every vertex.

        Raises:
            DatasetError: the file is missing, malformed or without labels.

        """
        path = self._file("_vh_clean_2.labels.ply")
        vertices = read_ply(path).properties
        if "label" not in (vertices.dtype.names or ()):
            raise DatasetError(f"{path}: its vertices have no label; download it again.")
        return vertices["label"].astype(np.int32)

    def _file(self, suffix: str) -> Path:
        return self.path / f"{self.scan_id}{suffix}"
