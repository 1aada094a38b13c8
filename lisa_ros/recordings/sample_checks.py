"""The rules for the files of one sample: each in itself, and whether they fit one another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.annotation import Annotation
from lisa_ros.recordings.camera_yaml import read_camera_model
from lisa_ros.recordings.dataset_folder import DatasetFolder, SamplePaths
from lisa_ros.recordings.documents import decode_text, read_bytes
from lisa_ros.recordings.finding import Finding, error, warning
from lisa_ros.recordings.image_files import UPRIGHT, exif_orientation, opened_image
from lisa_ros.recordings.polygon_mask import TARGET
from lisa_ros.recordings.query_checks import annotation_findings
from lisa_ros.recordings.sample import read_annotation, read_depth
from lisa_ros.recordings.sample_meta import SampleMeta, read_sample_meta

# Half a frame at 30 Hz: what pairs colour and depth must be closer.
_PAIRING_NS = 15_000_000


def sample_findings(folder: DatasetFolder, stem: str) -> Iterator[Finding]:
    """All that is wrong with a sample "<bag>/<frame>"."""
    paths = folder.sample_paths(stem)
    try:
        if decode_text(read_bytes(paths.annotation), paths.annotation)[1] != "utf-8":
            yield warning(paths.annotation, "is cp1252 text; save it as UTF-8")
        annotation = read_annotation(folder, stem)
    except DatasetError as problem:
        yield error(paths.annotation, str(problem))
        return
    size = (annotation.height, annotation.width)
    yield from annotation_findings(paths.annotation, annotation)
    yield from _image_findings(paths.image, size)
    meta = SampleMeta()
    try:
        if paths.meta.exists():
            meta = read_sample_meta(paths.meta)
    except DatasetError as problem:
        yield error(paths.meta, str(problem))
    yield from _meta_findings(paths.meta, meta)
    yield from _calibration_findings(folder, paths, size)
    if paths.depth.exists():
        yield from _depth_findings(folder, stem, annotation, meta)


def _image_findings(path: Path, size: tuple[int, int]) -> Iterator[Finding]:
    try:
        with opened_image(path) as image:
            image.load()
            kind, mode, found = image.format, image.mode, (image.height, image.width)
            orientation = exif_orientation(image)
    except DatasetError as problem:
        yield error(path, str(problem))
        return
    if kind != "JPEG":
        yield error(path, f"is a {kind} by its content; store a JPEG under this name")
    if mode != "RGB":
        yield warning(path, f"has mode {mode!r}, which is converted to RGB; store RGB")
    if orientation != UPRIGHT:
        yield error(
            path,
            f"has EXIF orientation {orientation}, which some readers apply and others do not; turn "
            "the pixels and remove the tag",
        )
    if found != size:
        yield error(
            path,
            f"is {found[1]}x{found[0]} px, its annotation for {size[1]}x{size[0]}; annotate the "
            "image as it is stored",
        )


def _meta_findings(path: Path, meta: SampleMeta) -> Iterator[Finding]:
    color, depth = meta.stamp_color_ns, meta.stamp_depth_ns
    if color is not None and depth is not None and abs(color - depth) > _PAIRING_NS:
        yield warning(
            path,
            f"colour and depth are {abs(color - depth) / 1e6:.1f} ms apart; pair images within "
            f"{_PAIRING_NS // 1_000_000} ms",
        )
    if None not in (meta.frame_id, meta.depth_frame_id) and meta.frame_id != meta.depth_frame_id:
        yield warning(
            path,
            f"depth is of {meta.depth_frame_id!r}, colour of {meta.frame_id!r}: is it registered "
            "to colour? Then write colour's frame; else register it first",
        )
    if meta.T_world_camera is not None and meta.world_frame is None:
        yield warning(path, "has T_world_camera without world_frame; name the frame")
    if meta.target_point_camera is not None:
        if meta.target_point_camera[2] <= 0:
            yield error(path, "target_point_camera is behind the camera; its z must be above 0")
        if meta.target_point_source is None:
            yield warning(
                path, "target_point_camera has no target_point_source; say how it is known"
            )


def _calibration_findings(
    folder: DatasetFolder, paths: SamplePaths, size: tuple[int, int]
) -> Iterator[Finding]:
    if not paths.camera_info.exists():
        if paths.depth.exists():
            message = "is missing, but samples here have depth; export the camera's calibration"
            yield error(paths.camera_info, message)
        return
    try:
        read_camera_model(paths.camera_info, rectified=folder.about.rectified, image_size=size)
    except DatasetError as problem:
        yield error(paths.camera_info, f"for {paths.image.name}: {problem}")


def _depth_findings(
    folder: DatasetFolder, stem: str, annotation: Annotation, meta: SampleMeta
) -> Iterator[Finding]:
    path = folder.sample_paths(stem).depth
    try:
        depth_m = read_depth(folder, stem, meta, (annotation.height, annotation.width))
        masks = [annotation.mask(query) == TARGET for query in annotation.asked]
    except DatasetError as problem:
        if str(path) in str(problem):  # else the annotation's own check has said it
            yield error(path, str(problem))
        return
    measured = np.isfinite(depth_m)
    if not measured.any():
        yield warning(path, "holds no measurement at all; delete it, or check the export")
        return
    for query, mask in zip(annotation.asked, masks, strict=True):
        if mask.any() and not (mask & measured).any():
            yield warning(path, f"has no measurement on the target of {query.texts[0][:80]!r}")
