"""What the frozen vision towers make of each image, kept on disk for later epochs and runs.

A folder of features has a sub-folder for each encoder, with `encoder.json`, which says whose they
are, and shards of fixed-size records (`record_shards`). An image is known by its pixels, an encoder
by everything that its numbers depend on, so that features are never mixed up, and a cached feature
is bit for bit what the encoder would compute.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lisa_ros.durable_files import replace_text
from lisa_ros.errors import ConfigurationError, DatasetError
from lisa_ros.model.preprocess import check_image
from lisa_ros.recordings.atomic_files import check_space
from lisa_ros.types import UInt8Array
from training.data.fields import read_json
from training.record_shards import (
    DATA_SUFFIX,
    ENTRY_BYTES,
    INDEX_SUFFIX,
    KEY_BYTES,
    RecordShards,
)

FORMAT = 1  # of the files, and of how an image becomes the towers' input
HEADER_NAME = "encoder.json"
_FREE_RESERVE_BYTES = 10**9  # for checkpoints and logs

_LOG = logging.getLogger(__name__)


class Features(NamedTuple):
    """What the frozen towers make of one image.

    sam: [C,g,g], SAM's image embedding. clip: [N,C'], CLIP's patch features before the projector.
    """

    sam: Tensor
    clip: Tensor


@dataclass(frozen=True)
class Encoding:
    """How images become features; see `frozen_towers.encoding_of`.

    digest: of all that the numbers depend on, hexadecimal. weights: dtype and device that the
    towers compute with, for people and for a check. dtype: of the features.
    """

    digest: str
    weights: str
    sam_shape: tuple[int, int, int]
    clip_shape: tuple[int, int]
    dtype: torch.dtype

    @property
    def record_bytes(self) -> int:
        """Size of one image's features on disk, its index entry excluded."""
        values = math.prod(self.sam_shape) + math.prod(self.clip_shape)
        return values * self.dtype.itemsize

    def header(self) -> dict[str, Any]:
        """What `encoder.json` holds."""
        return {
            "format": FORMAT,
            "encoder": self.digest,
            "weights": self.weights,
            "sam_shape": list(self.sam_shape),
            "clip_shape": list(self.clip_shape),
            "dtype": str(self.dtype).removeprefix("torch."),
            "record_bytes": self.record_bytes,
        }


def predicted_bytes(encoding: Encoding, n_images: int) -> int:
    """How much of the disk the features of so many images take."""
    return n_images * (encoding.record_bytes + ENTRY_BYTES)


def predicted_size(encoding: Encoding, n_images: int) -> str:
    """The same as a sentence for people."""
    total, each = predicted_bytes(encoding, n_images), encoding.record_bytes
    return f"SAM and CLIP features of {n_images} images: {_size(total)} ({_size(each)} an image)."


def image_key(image: UInt8Array) -> bytes:
    """By what an image u8[H,W,3] is known: a digest of its pixels and its size."""
    image = check_image(image)
    digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=KEY_BYTES)
    digest.update(image.data.cast("B"))
    return digest.digest()


class FeatureCache:
    """The features of one encoder in a folder, which any number of processes share.

    A damaged record counts as absent. Threads may share one. Processes that store at the same
    moment may pass `max_bytes` by a record each.
    """

    def __init__(
        self, folder: Path, encoding: Encoding, *, max_bytes: int, n_images: int, rank: int = 0
    ) -> None:
        """Open the features of an encoder, or begin them.

        max_bytes: of the whole folder, other encoders included. n_images: how many images a run
        will want to keep, for which there must be room on the disk.

        Raises:
            ConfigurationError: max_bytes is not positive.
            DatasetError: the folder cannot be read or made, the disk has too little room (says how
                much is needed and free), or `encoder.json` is damaged.

        """
        if max_bytes < 1:
            raise ConfigurationError(
                f"The feature cache may take {max_bytes} bytes; expected a positive number. Leave "
                "the cache out to do without."
            )
        self.root, self.encoding, self.max_bytes = folder, encoding, max_bytes
        header = json.dumps(encoding.header(), indent=2) + "\n"
        name = hashlib.blake2b(header.encode(), digest_size=8).hexdigest()
        self.folder = folder / name
        try:
            _begin(self.folder, header)
            self._shards = RecordShards(self.folder, encoding.record_bytes, f"rank{rank}")
            used = _used_bytes(folder)
        except OSError as error:
            raise DatasetError(
                f"Cannot keep features in {self.folder}: {error.strerror}. Choose another folder."
            ) from error
        self._storing = True
        missing = predicted_bytes(encoding, max(0, n_images - len(self._shards)))
        if wanted := min(missing, max(0, max_bytes - used)):
            check_space(folder, wanted, _FREE_RESERVE_BYTES)

    def __len__(self) -> int:
        """How many images are known so far."""
        return len(self._shards)

    def get(self, key: bytes) -> Features | None:
        """The features of the image with this key, on the CPU; None where nobody has stored them.

        Raises:
            DatasetError: the folder has become unreadable.

        """
        try:
            record = self._shards.get(key)
        except OSError as error:
            raise DatasetError(
                f"Cannot read features in {self.folder}: {error.strerror}. Leave the folder alone "
                "during a run; start again to go on."
            ) from error
        if record is None:
            return None
        flat = torch.from_numpy(record).view(self.encoding.dtype)
        sam_values = math.prod(self.encoding.sam_shape)
        sam, clip = flat[:sam_values], flat[sam_values:]
        return Features(sam.view(self.encoding.sam_shape), clip.view(self.encoding.clip_shape))

    def store(self, key: bytes, features: Features) -> None:
        """Keep the features of an image; with the cache or the disk full, say so once and do not.

        Raises:
            ConfigurationError: these are not features of this cache's encoder.

        """
        if not self._storing:
            return
        record = self._record(features)
        try:
            used = _used_bytes(self.root)
            if used + len(record) + ENTRY_BYTES > self.max_bytes:
                self._stop(f"it holds {_size(used)} of the {_size(self.max_bytes)} it may take")
            else:
                self._shards.append(key, record)
        except OSError as error:
            self._stop(error.strerror or str(error))

    def _record(self, features: Features) -> UInt8Array:
        shapes = (self.encoding.sam_shape, self.encoding.clip_shape)
        expected = [(shape, self.encoding.dtype) for shape in shapes]
        got = [(tuple(tensor.shape), tensor.dtype) for tensor in features]
        if got != expected:
            raise ConfigurationError(f"The cache keeps features {expected}, got {got}.")
        flat = torch.cat([tensor.detach().flatten() for tensor in features])
        record: UInt8Array = flat.cpu().view(torch.uint8).numpy()
        return record

    def _stop(self, reason: str) -> None:
        self._storing = False
        _LOG.warning(
            "The feature cache %s keeps no further images: %s. Training goes on and encodes them "
            "in every pass. Raise the limit, make room, or remove the sub-folders of encoders that "
            "are no longer used.",
            self.root,
            reason,
        )


def _begin(folder: Path, header: str) -> None:
    """Make the folder of an encoder with its header, or check the header that is there."""
    path = folder / HEADER_NAME
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        replace_text(path, header)
    if read_json(path) != json.loads(header):
        raise DatasetError(f"{path} is damaged. Remove {folder}; its images are encoded again.")


def _used_bytes(root: Path) -> int:
    shards = (path for path in root.glob("*/*") if path.suffix in (DATA_SUFFIX, INDEX_SUFFIX))
    return sum(path.stat().st_size for path in shards)


def _size(count: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= 0.1 * scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"
