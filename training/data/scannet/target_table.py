"""The 3D targets of everything annotated in ScanNet's frames, as a table."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from tqdm import tqdm

from lisa_ros.types import NoDepth, Target3D
from training.data.scannet.annotated_mesh import AnnotatedMesh
from training.data.scannet.annotation import Annotation
from training.data.scannet.dataset import AnnotatedFrames, ScanNetDataset
from training.data.scannet.targets import lift_instances, mesh_distance_m

Point = tuple[float, float, float]
_POINTS = frozenset({"camera", "world", "aligned"})


class TargetRow(NamedTuple):
    """One object in one frame.

    instance: pixel value of the annotation. name: "" for a category without one. mask_px: on the
    depth camera's grid. camera, world, aligned: metres, see `FrameTarget`; None where there is no
    such frame. mesh_distance_m: from the target to the object's surface; None without a pose, or a
    mesh on disk that has the object. reason: why there is no target, or "".
    """

    scan: str
    frame: int
    instance: int
    name: str
    mask_px: int
    depth_coverage: float
    camera: Point | None
    world: Point | None
    aligned: Point | None
    mesh_distance_m: float | None
    reason: str


def target_rows(dataset: ScanNetDataset) -> Iterator[TargetRow]:
    """Lift all instances of all frames, scan by scan.

    Raises:
        DatasetError: a file is missing or malformed; names it.

    """
    with tqdm(total=len(dataset), desc=dataset.name, unit="frame") as bar:
        for source in dataset.sources:
            mesh = source.mesh()
            for number in source.numbers:
                yield from _of_frame(source, number, mesh)
                bar.update()


class Written(NamedTuple):
    """What is in a table: objects, those with a target, and all mesh distances, m."""

    objects: int
    lifted: int
    distances_m: array[float]


def write_csv(rows: Iterable[TargetRow], file: BinaryIO) -> Written:
    """Write rows as they come, with three columns for each point; what is None is empty."""
    text = io.TextIOWrapper(file, "utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        title
        for name in TargetRow._fields
        for title in ([f"{name}_{axis}_m" for axis in "xyz"] if name in _POINTS else [name])
    )
    objects = lifted = 0
    distances: array[float] = array("d")
    for row in rows:
        writer.writerow(
            _cell(value)
            for name, cell in row._asdict().items()
            for value in (cell or (None, None, None) if name in _POINTS else (cell,))
        )
        objects += 1
        lifted += not row.reason
        if row.mesh_distance_m is not None:
            distances.append(row.mesh_distance_m)
    text.detach()  # the file is not ours to close
    return Written(objects, lifted, distances)


def _of_frame(
    source: AnnotatedFrames, number: int, mesh: AnnotatedMesh | None
) -> Iterator[TargetRow]:
    annotation, view = source.annotation(number), source.depth_view(number)
    for instance, target in lift_instances(annotation.instances, view).items():
        name = _name(annotation, instance)
        known = (source.scan_id, number, instance, name)
        if isinstance(target, NoDepth):
            measured = (target.mask_px, target.depth_coverage)
            yield TargetRow(*known, *measured, None, None, None, None, target.reason)
            continue
        distance = None
        if mesh is not None and target.world is not None and len(mesh.triangles_of(instance)):
            distance = mesh_distance_m(target, mesh, instance)
        yield TargetRow(
            *known,
            target.camera.mask_px,
            target.camera.depth_coverage,
            _point(target.camera),
            _point(target.world),
            _point(target.aligned),
            distance,
            reason="",
        )


def _cell(value: str | float | None) -> str:
    """Tenths of millimetres, and as many digits of a share, are more than any of it is good for."""
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _name(annotation: Annotation, instance: int) -> str:
    categories = annotation.categories[annotation.instances == instance]
    return annotation.names.get(int(categories[0]), "")


def _point(target: Target3D | None) -> Point | None:
    if target is None:
        return None
    x, y, z = target.position.tolist()
    return x, y, z
