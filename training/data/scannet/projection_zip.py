"""A scan's annotation projected into its frames: zips of PNGs, read in place.

Images have the size of the colour image. Frames whose pose was lost are all zero, not missing.
`-filt` follows the edges of the image better (masks for training), the plain one the mesh.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DatasetError
from training.data.scannet.bounded_image import decode_image

# label: ids of the label table, 16 bits. instance: object id + 1, 8 bits. 0 is none in both.
Projection = Literal["label", "label-filt", "instance", "instance-filt"]

_SLACK_BYTES = 2**20
_DAMAGES = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


class ProjectionZip:
    """One of a scan's four zips; a context manager. Not for sharing between processes.

    Raises:
        DatasetError: missing, or no zip.

    """

    def __init__(self, path: Path, kind: Projection) -> None:
        self.path, self.kind = path, kind
        if not path.is_file():
            raise DatasetError(
                f"{path}: missing; download the scan's 2D annotation (test scans have none)."
            )
        try:
            self._zip = zipfile.ZipFile(path)
        except _DAMAGES as error:
            raise DatasetError(f"{path}: no readable zip ({error}); download it again.") from error

    def read(self, frame: int, size: tuple[int, int]) -> npt.NDArray[np.int32]:
        """Decode the image of a frame, i32[H,W]; size: the colour image's (width, height).

        Raises:
            DatasetError: no such entry, damaged, or of another size; names the entry.

        """
        name = f"{self.kind}/{frame}.png"
        where = f"{self.path}: {name}"
        try:
            entry = self._zip.getinfo(name)
        except KeyError as error:
            raise DatasetError(
                f"{where} is missing; the zip belongs to another recording or is incomplete: "
                "download it again."
            ) from error
        # Others inflate without a bound, and are not what ScanNet's zips have.
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DatasetError(
                f"{where} has the compression {entry.compress_type}, expected "
                f"{zipfile.ZIP_STORED} (stored) or {zipfile.ZIP_DEFLATED} (deflated); download the "
                "zip again."
            )
        most = 2 * 2 * size[0] * size[1] + _SLACK_BYTES
        if entry.file_size > most:
            raise DatasetError(
                f"{where} has {entry.file_size} bytes, expected at most {most} for an image of "
                f"{size[0]}x{size[1]}; download the zip again."
            )
        try:
            with self._zip.open(entry) as file:
                data = file.read(entry.file_size + 1)  # bounded, unlike read() of everything
        except _DAMAGES as error:
            raise DatasetError(f"{where} is damaged ({error}); download it again.") from error
        image = decode_image(data, "PNG", where, size)
        if image.mode not in ("L", "I;16", "I"):
            raise DatasetError(f"{where} is of mode {image.mode}, expected one grey channel.")
        return np.asarray(image).astype(np.int32)

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
