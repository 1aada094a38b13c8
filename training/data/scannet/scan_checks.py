"""What may be wrong with a scan folder, file by file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lisa_ros.errors import DatasetError
from training.data.sample import Problem
from training.data.scannet.annotated_mesh import nyu40_of_vertices
from training.data.scannet.depth_view import view_of_recorded
from training.data.scannet.labels import LabelTable
from training.data.scannet.scan import ScanFolder


def check_scan(scan: ScanFolder, table: LabelTable, numbers: Sequence[int]) -> Iterator[Problem]:
    """Check the recording (every record, and the images of frames `numbers`), text, and mesh."""
    for check in (_check_recording(scan, numbers), _check_objects(scan, table)):
        try:
            yield from check
        except DatasetError as error:
            yield Problem("error", scan.path, str(error))


def _check_recording(scan: ScanFolder, numbers: Sequence[int]) -> Iterator[Problem]:
    with scan.open_sens() as reader:
        told = scan.meta.num_color_frames
        if told is not None and told != len(reader):
            yield Problem(
                "warning",
                scan.sens_path,
                f"has {len(reader)} frames, the .txt says {told}; known of some scans, and the "
                ".sens counts: nothing to do.",
            )
        if not any(reader.pose(number) is not None for number in range(len(reader))):
            yield Problem(
                "warning", scan.sens_path, "has no frame with a pose: nothing in it is annotated."
            )
        try:
            reader.imu()
        except DatasetError as error:
            yield Problem("warning", scan.sens_path, str(error))
        for number in numbers:
            try:
                view_of_recorded(reader.header, reader[number], scan.meta.T_aligned_world)
            except DatasetError as error:
                yield Problem("error", scan.sens_path, str(error))


def _check_objects(scan: ScanFolder, table: LabelTable) -> Iterator[Problem]:
    names = sorted({o.label for o in scan.objects if o.label not in table.by_name})
    if names:
        yield Problem(
            "warning",
            scan.path,
            f"objects are called {', '.join(names)}, which {table.path.name} does not have; they "
            "are never asked for.",
        )
    twice = sorted(again for found in scan.objects for again in found.duplicates)
    if twice:
        yield Problem(
            "warning",
            scan.path,
            f"the objects {twice} are listed under another id too (as in scene0217_00); each "
            "counts once.",
        )
    if not scan.mesh_path.exists():
        yield Problem(
            "warning",
            scan.mesh_path,
            "is not there: training does without, but targets are not held against it.",
        )
        return
    mesh = scan.mesh()
    ours = nyu40_of_vertices(mesh.instances, scan.objects, table)
    theirs = scan.vertex_labels()
    if len(ours) != len(theirs):
        yield Problem("error", scan.path, f"{len(theirs)} vertex labels for {len(ours)} vertices.")
        return
    differing = int(np.count_nonzero(ours != theirs))
    if differing:
        yield Problem(
            "warning",
            scan.path,
            f"{differing} of {len(ours)} vertices have another class in labels.ply than by their "
            "object's name (three released scans hold 50 for 39); the names count.",
        )
    empty = [o.object_id for o in scan.objects if not (mesh.instances == o.object_id + 1).any()]
    if empty:
        yield Problem(
            "warning", scan.path, f"the objects {empty} have no vertex in the annotated mesh."
        )
