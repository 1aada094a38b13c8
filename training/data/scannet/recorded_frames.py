"""Frames of a `scans` folder as training images: colour from the `.sens`, masks from the zips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DatasetError
from lisa_ros.types import Float64Array, UInt8Array
from training.data.sample import Problem
from training.data.scannet.annotated_mesh import AnnotatedMesh
from training.data.scannet.annotation import Annotation
from training.data.scannet.depth_view import DepthView, view_of_recorded
from training.data.scannet.labels import LabelTable
from training.data.scannet.scan import ScanFolder
from training.data.scannet.scan_checks import check_scan

# The zips are filtered one by one, so their edges differ; whole objects must not.
_LABEL_DISAGREEMENT = 0.05


class RecordedFrames:
    """Every `every`-th frame of one scan.

    Masks are those of the `instance-filt` zip, which follow the image best, with the names of the
    aggregation file: the numbers of the `label` zips have several names each.

    posed_only: leave out frames where tracking was lost. Nothing is annotated in them, so nothing
    can be asked either way; it makes the number of images exact, and costs one small read for each
    frame of the recording. Without it only the header is read.

    Raises:
        DatasetError: the recording is missing or malformed.

    """

    def __init__(self, scan: ScanFolder, table: LabelTable, every: int, posed_only: bool) -> None:
        self.scan, self.table = scan, table
        self.scan_id = scan.scan_id
        self.numbers: Sequence[int] = range(0, scan.header.num_frames, every)
        if posed_only:
            with scan.open_sens() as reader:
                self.numbers = [n for n in self.numbers if reader.pose(n) is not None]

    def image(self, number: int) -> tuple[Path, UInt8Array]:
        """A name for people, and the colour image u8[H,W,3]."""
        with self.scan.open_sens() as reader:
            return self.scan.sens_path / str(number), reader.color(number)

    def pose(self, number: int) -> Float64Array | None:
        """`T_world_camera` f64[4,4]; None where tracking was lost."""
        with self.scan.open_sens() as reader:
            return reader.pose(number)

    def annotation(self, number: int) -> Annotation:
        """Categories are the numbers of the label table, named as the annotators wrote them.

        Raises:
            DatasetError: missing or malformed, or a pixel value that no object has.

        """
        size = (self.scan.header.color_width, self.scan.header.color_height)
        with self.scan.open_projection("instance-filt") as projection:
            values = projection.read(number, size)
        present = np.flatnonzero(np.bincount(values.ravel()))
        unknown = set(present.tolist()) - set(self._instance_ids) - {0}
        if unknown:
            raise DatasetError(
                f"{projection.path}, frame {number}: pixel values {sorted(unknown)[:5]} belong to "
                "no object (object id + 1) of the aggregation file; these files belong to "
                "different versions: download the scan again."
            )
        instances = self._lookup(self._instance_ids)[values]
        categories = self._lookup(self._category_of)[instances]
        seen = np.flatnonzero(np.bincount(instances.ravel())).tolist()
        return Annotation(categories, instances, self._unambiguous_names(seen))

    def depth_view(self, number: int) -> DepthView:
        """Depth, cameras, pose and alignment of a frame.

        Raises:
            DatasetError: missing or malformed.

        """
        with self.scan.open_sens() as reader:
            frame = reader[number]
        alignment = self.scan.meta.T_aligned_world
        try:
            return view_of_recorded(self.scan.header, frame, alignment)
        except DatasetError as error:
            raise DatasetError(f"{self.scan.sens_path}: {error}") from error

    def mesh(self) -> AnnotatedMesh | None:
        """See `ScanFolder.mesh`; None where it was not downloaded."""
        return self.scan.mesh() if self.scan.mesh_path.exists() else None

    def counts(self) -> dict[str, int]:
        """How many objects are annotated in the scan."""
        return {"objects": len(self.scan.objects)}

    def problems(self) -> Iterator[Problem]:
        """Check the scan, and read what training would read of every frame."""
        found = list(check_scan(self.scan, self.table, self.numbers))
        yield from found
        if any(problem.severity == "error" for problem in found):
            return
        labels = self.scan.projection_path("label-filt")
        compared = labels.exists()
        if not compared:
            message = "is not there: training does without, but instances are not held against it."
            yield Problem("warning", labels, message)
        for number in self.numbers:
            try:
                categories = self.annotation(number).categories
                differing = self._label_disagreement(number, categories) if compared else 0.0
            except DatasetError as error:
                yield Problem("error", self.scan.path, str(error))
                continue
            if differing > _LABEL_DISAGREEMENT:
                yield Problem(
                    "error",
                    self.scan.path,
                    f"frame {number}: the label zip has another category than the instance zip in "
                    f"{differing:.0%} of the pixels that both annotate; the zips belong to "
                    "different versions of the aggregation file: download the scan again.",
                )

    def _label_disagreement(self, number: int, categories: npt.NDArray[np.int32]) -> float:
        """Share of the pixels with a known category whose number in the label zip is another."""
        with self.scan.open_projection("label-filt") as projection:
            labels = projection.read(number, (categories.shape[1], categories.shape[0]))
        both = (categories > 0) & (labels > 0)
        different = int(np.count_nonzero(categories[both] != labels[both]))
        return different / max(1, int(np.count_nonzero(both)))

    @cached_property
    def _instance_ids(self) -> dict[int, int]:
        """Pixel value to instance; an object listed twice may be painted under either number."""
        return {
            value: found.object_id + 1
            for found in self.scan.objects
            for value in found.instance_values
        }

    @cached_property
    def _category_of(self) -> dict[int, int]:
        """Instance to number of the table; names that the table lacks are nobody's category."""
        return {
            found.object_id + 1: self.table.by_name[found.label].id
            for found in self.scan.objects
            if found.label in self.table.by_name
        }

    def _unambiguous_names(self, seen: Sequence[int]) -> dict[int, str]:
        """Names of the categories in sight, without those of which two names are in sight.

        "box" and "boxes" share a number: with both in an image, neither says which is meant.
        """
        names: dict[int, set[str]] = {}
        for found in self.scan.objects:
            category = self._category_of.get(found.object_id + 1)
            if category is not None and found.object_id + 1 in seen:
                names.setdefault(category, set()).add(found.label)
        return {category: min(of) for category, of in names.items() if len(of) == 1}

    @staticmethod
    def _lookup(mapping: dict[int, int]) -> npt.NDArray[np.int32]:
        """An array to index with values; 0 for those that the mapping lacks."""
        # Pixels have 8 bits; files of other tools may hold 16.
        table = np.zeros(2**16, np.int32)
        for key, value in mapping.items():
            if key < len(table) and value < len(table):
                table[key] = value
        return table
