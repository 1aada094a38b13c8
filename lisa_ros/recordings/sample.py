"""One sample of a lab dataset in memory, and reading it from disk."""

from __future__ import annotations

from dataclasses import dataclass, field

from lisa_ros.errors import DatasetError
from lisa_ros.geometry import CameraInfo, camera_model, depth_to_metres
from lisa_ros.recordings.annotation import Annotation, parse_annotation
from lisa_ros.recordings.camera_yaml import read_camera_info
from lisa_ros.recordings.dataset_folder import DatasetFolder
from lisa_ros.recordings.documents import read_json_document
from lisa_ros.recordings.image_files import read_color, read_depth_steps
from lisa_ros.recordings.sample_meta import SampleMeta, read_sample_meta
from lisa_ros.types import Float32Array, RgbdFrame, UInt8Array


@dataclass(frozen=True, eq=False)
class LabSample:
    """An image with what is known about it. image: u8[H,W,3] RGB, as stored.

    depth_m: f32[H,W] z-depth registered to colour, NaN where nothing was measured; None if the
    sample has no depth. camera_info: None if nobody calibrated.
    """

    image: UInt8Array
    annotation: Annotation
    depth_m: Float32Array | None = None
    camera_info: CameraInfo | None = None
    meta: SampleMeta = field(default_factory=SampleMeta)

    def frame(self, *, rectified: bool) -> RgbdFrame:
        """The sample as a camera would have given it; its stamp is 0 where it is not known.

        rectified: `About.rectified` of the dataset: P counts, else K and D.

        Raises:
            CameraInfoError: the calibration is contradictory, or belongs to another size.

        """
        height, width = self.image.shape[:2]
        model = None
        if self.camera_info is not None:
            model = camera_model(self.camera_info, rectified=rectified, image_size=(height, width))
        distorted = model is not None and model.distortion is not None
        return RgbdFrame(
            image=self.image,
            depth_m=self.depth_m,
            intrinsics=None if model is None else model.intrinsics,
            frame_id=self.meta.frame_id or "",
            stamp_ns=self.meta.stamp_color_ns or 0,
            rays=model.ray_grid() if model is not None and distorted else None,
        )


def read_annotation(folder: DatasetFolder, stem: str) -> Annotation:
    """Read the annotation of a sample. Raises DatasetError naming file and key."""
    return parse_annotation(read_json_document(folder.sample_paths(stem).annotation))


def read_sample(folder: DatasetFolder, stem: str) -> LabSample:
    """Read all files of a sample.

    Raises:
        DatasetError: a required file is missing, one is malformed, or sizes differ; names it.

    """
    paths = folder.sample_paths(stem)
    annotation = read_annotation(folder, stem)
    image = read_color(paths.image)
    size = (annotation.height, annotation.width)
    if image.shape[:2] != size:
        raise DatasetError(
            f"{paths.image} is {image.shape[1]}x{image.shape[0]} px, but {paths.annotation.name} "
            f"is for {size[1]}x{size[0]}. Annotate the image as it is stored."
        )
    meta = read_sample_meta(paths.meta) if paths.meta.exists() else SampleMeta()
    depth_m = read_depth(folder, stem, meta, size) if paths.depth.exists() else None
    info = read_camera_info(paths.camera_info) if paths.camera_info.exists() else None
    return LabSample(image, annotation, depth_m, info, meta)


def read_depth(
    folder: DatasetFolder, stem: str, meta: SampleMeta, size: tuple[int, int]
) -> Float32Array:
    """Read the depth of a sample as f32[H,W] metres, NaN where nothing was measured.

    Raises:
        DatasetError: missing, not of 16 bits, or not of the image's size (H, W); names the file.

    """
    path = folder.sample_paths(stem).depth
    steps = read_depth_steps(path)
    if steps.shape != size:
        raise DatasetError(
            f"{path} is {steps.shape[1]}x{steps.shape[0]} px, its image {size[1]}x{size[0]}. "
            "Register depth to the colour camera before storing it."
        )
    return depth_to_metres(steps, unit_m=meta.depth_unit_m or folder.about.depth_unit_m)
