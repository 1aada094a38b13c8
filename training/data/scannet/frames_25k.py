"""`scannet_frames_25k`: every 100th frame of every scan as files, with NYU40 labels.

NYU40 puts nearly everything that a robot would pick up into "otherprop"; the `scans` tree keeps
the names that annotators wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DatasetError
from lisa_ros.geometry.depth import depth_to_metres
from lisa_ros.types import Float64Array
from training.data.sample import Problem
from training.data.scannet.annotation import Annotation
from training.data.scannet.bounded_image import image_size, read_image
from training.data.scannet.depth_view import DepthView, color_from_depth
from training.data.scannet.labels import NYU40_NAMES
from training.data.scannet.pose import tracked_pose
from training.data.scannet.sens_header import pinhole
from training.data.scannet.splits import is_scan_id

_NAMES = dict(enumerate(NYU40_NAMES))
# An instance is class * 1000 + k. Below is none: the published converter writes 1 for background.
_CLASS_STEP = 1000


class Frames25kScan:
    """The frames of one scan. posed_only: without those where tracking was lost.

    Raises:
        DatasetError: no folder of a scan with frames; each call: a file that is missing or
            malformed.

    """

    def __init__(self, path: Path, posed_only: bool = False) -> None:
        if not (is_scan_id(path.name) and (path / "color").is_dir()):
            raise DatasetError(
                f"{path}: expected a folder called like scene0000_00 with a folder color in it."
            )
        self.path, self.scan_id = path, path.name
        files = (path / "color").glob("[!.]*.jpg")
        stems = sorted(file.stem for file in files)
        wrong = [stem for stem in stems if not (stem.isdecimal() and len(stem) == 6)]
        if wrong:
            raise DatasetError(f"{path}/color/{wrong[0]}.jpg: expected six digits, a frame number.")
        numbers = [int(stem) for stem in stems]
        self.numbers: Sequence[int] = [
            n for n in numbers if not posed_only or self.pose(n) is not None
        ]

    def image(self, number: int) -> tuple[Path, None]:
        """Where the colour image is; the second is for sources whose images are no files."""
        return self._file("color", number, ".jpg"), None

    def pose(self, number: int) -> Float64Array | None:
        """`T_world_camera` f64[4,4]; None where tracking was lost."""
        return tracked_pose(_read_matrix(self._file("pose", number, ".txt")))

    def annotation(self, number: int) -> Annotation:
        """Classes from `label`; `instance` only tells their objects apart.

        Raises:
            DatasetError: missing, malformed, or not of the colour image's size.

        """
        size = image_size(self._file("color", number, ".jpg"))
        path = self._file("label", number, ".png")
        classes = _read_grey(path, size)
        if classes.max() >= len(NYU40_NAMES):
            raise DatasetError(
                f"{path}: label {classes.max()}, expected NYU40 classes of 0 to 40; other label "
                "sets need the scans tree."
            )
        values = _read_grey(self._file("instance", number, ".png"), size)
        known = (values >= _CLASS_STEP) & (values // _CLASS_STEP == classes)
        return Annotation(classes, np.where(known, values, 0).astype(np.int32), _NAMES)

    def depth_view(self, number: int) -> DepthView:
        """Depth, cameras and pose of a frame; the alignment is in the `scans` tree only.

        Raises:
            DatasetError: missing or malformed.

        """
        depth = read_image(self._file("depth", number, ".png"))
        if depth.mode not in ("I;16", "I"):
            raise DatasetError(
                f"{self._file('depth', number, '.png')}: mode {depth.mode}, expected 16-bit grey."
            )
        color_size = image_size(self._file("color", number, ".jpg"))
        k_color, k_depth, extrinsics = self._cameras
        try:
            return DepthView(
                depth_m=depth_to_metres(np.asarray(depth).astype(np.uint16)),
                depth_camera=pinhole(k_depth, *depth.size, "depth"),
                color_camera=pinhole(k_color, *color_size, "colour"),
                T_color_depth=color_from_depth(*extrinsics),
                T_world_camera=self.pose(number),
                T_aligned_world=None,
            )
        except DatasetError as error:
            raise DatasetError(f"{self.path}, frame {number}: {error}") from error

    def mesh(self) -> None:
        """It is in the `scans` tree only."""

    def counts(self) -> dict[str, int]:
        """Nothing more than what every source counts."""
        return {}

    def problems(self) -> Iterator[Problem]:
        """Read every file of every frame."""
        for number in self.numbers:
            path = self._file("color", number, ".jpg")
            try:
                read_image(path)
                annotation = self.annotation(number)
                self.depth_view(number)
            except DatasetError as error:
                yield Problem("error", path, str(error))
                continue
            if annotation.categories.any() and not annotation.instances.any():
                yield Problem(
                    "warning",
                    self._file("instance", number, ".png"),
                    f"has classes but no instance that agrees with them (class * {_CLASS_STEP} + "
                    "k); the conversion script overflows with numpy 2: convert again, or ask for "
                    "semantic targets only.",
                )

    @cached_property
    def _cameras(
        self,
    ) -> tuple[Float64Array, Float64Array, tuple[Float64Array, Float64Array]]:
        """Intrinsics of colour and depth, and the extrinsics of both."""
        k_color, k_depth = (
            _read_matrix(self.path / f"intrinsics_{camera}.txt") for camera in ("color", "depth")
        )
        paths = [self.path / f"extrinsics_{camera}.txt" for camera in ("color", "depth")]
        if not any(path.exists() for path in paths):  # optional: depth is registered
            return k_color, k_depth, (np.eye(4), np.eye(4))
        color, depth = (_read_matrix(path) for path in paths)
        return k_color, k_depth, (color, depth)

    def _file(self, folder: str, number: int, suffix: str) -> Path:
        return self.path / folder / f"{number:06d}{suffix}"


def _read_grey(path: Path, size: tuple[int, int]) -> npt.NDArray[np.int32]:
    image = read_image(path, size)
    if image.mode not in ("L", "I;16", "I"):
        raise DatasetError(f"{path}: mode {image.mode}, expected one grey channel.")
    return np.asarray(image).astype(np.int32)  # before any arithmetic: 8 bits overflow


def _read_matrix(path: Path) -> Float64Array:
    try:
        return np.array([float(number) for number in path.read_text().split()]).reshape(4, 4)
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path}: cannot be read as 4x4 numbers ({error}); download it again."
        ) from error
