"""The objects of a scan: groups of mesh segments with a name (`<id>.aggregation.json`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lisa_ros.errors import DatasetError


@dataclass(frozen=True)
class ScanObject:
    """One annotated object. `label` is a raw category of the label table, or free text.

    duplicates: ids under which the file lists the same segments again (scene0217_00 does so).
    """

    object_id: int
    label: str
    segments: frozenset[int]
    duplicates: tuple[int, ...] = ()

    @property
    def instance_values(self) -> tuple[int, ...]:
        """The pixel values of this object in 2D instance images: object id + 1."""
        return tuple(object_id + 1 for object_id in (self.object_id, *self.duplicates))


def read_objects(path: Path) -> tuple[ScanObject, ...]:
    """Read the objects, in the order of the file, each once.

    Numbers may be strings, as ScanNet's own parser accepts; an objectId of null is the group's
    `id`, and a segment of null is none.

    Raises:
        DatasetError: missing, not such a file, or one object id for two objects; names the group.

    """
    groups = _member(path, _load(path), "segGroups", list)
    by_id: dict[int, ScanObject] = {}
    first_ids: dict[frozenset[int], int] = {}
    duplicates: dict[int, tuple[int, ...]] = {}
    for number, group in enumerate(groups):
        found = _object(path, number, group)
        known = by_id.setdefault(found.object_id, found)
        if known.segments != found.segments:
            raise DatasetError(
                f"{path}, segGroups[{number}]: objectId {found.object_id} already stands for "
                "other segments; download the file again."
            )
        first = first_ids.setdefault(found.segments, found.object_id)
        if known is found and found.segments and first != found.object_id:
            duplicates[first] = (*duplicates.get(first, ()), found.object_id)
    again = {object_id for ids in duplicates.values() for object_id in ids}
    return tuple(
        replace(found, duplicates=duplicates.get(object_id, ()))
        for object_id, found in by_id.items()
        if object_id not in again
    )


def read_segments(path: Path) -> npt.NDArray[np.int64]:
    """Read the segment of every vertex, i64[V] (`<id>_vh_clean_2.0.010000.segs.json`).

    Raises:
        DatasetError: missing, or not such a file.

    """
    values = _member(path, _load(path), "segIndices", list)
    return np.array(_integers(path, "segIndices", values), np.int64)


def vertex_instances(
    objects: Sequence[ScanObject], segments: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """Give every vertex the instance value of its object, i32[V]: object id + 1, 0 for none.

    Of several objects that claim a segment the last one listed gets it, as in ScanNet's scripts.
    Segments that no vertex has are passed over.
    """
    owner = {segment: o.object_id + 1 for o in objects for segment in sorted(o.segments)}
    present, inverse = np.unique(segments, return_inverse=True)
    values = np.array([owner.get(segment, 0) for segment in present.tolist()], np.int32)
    return values[inverse]


def _object(path: Path, number: int, group: Any) -> ScanObject:
    where = f"segGroups[{number}]"
    if not isinstance(group, dict):
        raise DatasetError(f"{path}, {where}: got {type(group).__name__}, expected an object.")
    object_id = group.get("objectId")
    (object_id,) = _integers(path, where, [group.get("id") if object_id is None else object_id])
    label = _member(path, group, "label", str, f"{where}.")
    segments = _member(path, group, "segments", list, f"{where}.")
    listed = [segment for segment in segments if segment is not None]
    if not 0 <= object_id < 2**31 - 1:
        raise DatasetError(f"{path}, {where}: objectId {object_id}, expected 0 or more.")
    return ScanObject(object_id, label, frozenset(_integers(path, f"{where}.segments", listed)))


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path}: cannot be read as JSON ({error}); download it again."
        ) from error


def _member(path: Path, parent: Any, key: str, kind: type, within: str = "") -> Any:
    value = parent.get(key) if isinstance(parent, dict) else None
    if not isinstance(value, kind):
        raise DatasetError(
            f"{path}: {within}{key} is {type(value).__name__}, expected {kind.__name__}; download "
            "the file again."
        )
    return value


def _integers(path: Path, where: str, values: Sequence[Any]) -> list[int]:
    numbers = []
    for value in values:
        if (
            isinstance(value, str)
            and len(value) < 20
            and value.strip().removeprefix("-").isdecimal()
        ):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**62:
            raise DatasetError(
                f"{path}, {where}: got {str(value)[:40]!r}, expected an integer; download the file "
                "again."
            )
        numbers.append(value)
    return numbers
