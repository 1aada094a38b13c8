"""What is annotated in one image, and what can be asked about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lisa_ros.types import BoolArray

# instance: the one object of its category. semantic: all that is visible of a category.
TargetKind = Literal["instance", "semantic"]

# Never asked for. Structure: it fills the image, and no robot is sent for it. The rest are names
# that annotators, or the NYU40 classes, gave to what had none: they say nothing.
UNASKED = frozenset(
    {
        "wall", "walls", "floor", "floors", "ceiling", "ceilings", "structure",
        "object", "objects", "unknown", "other", "remove", "unannotated",
        "otherstructure", "otherfurniture", "otherprop",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Annotation:
    """Pixels of one image, at its own size.

    categories: i32[H,W], 0 for none. instances: i32[H,W], 0 for none, each of one category. names:
    how people call a category; one without a name cannot be asked for.
    """

    categories: npt.NDArray[np.int32]
    instances: npt.NDArray[np.int32]
    names: Mapping[int, str]


@dataclass(frozen=True)
class Askable:
    """A name that means something definite in an image, and its pixels bool[H,W]."""

    name: str
    mask: BoolArray


def askable(annotation: Annotation, kind: TargetKind, min_share: float) -> list[Askable]:
    """What can be asked for, in the order of the category numbers.

    min_share: of the image, which the target has to cover. Of "instance" kind is a category with
    exactly one object in sight, however little is seen of a second: "the chair" next to a corner
    of another one is a question with two answers.
    """
    min_px = max(1, min_share * annotation.categories.size)
    counts = np.bincount(annotation.categories.ravel())
    counts[0] = 0
    found = []
    for category in np.flatnonzero(counts >= min_px).tolist():
        name = annotation.names.get(category)
        if name is None or name.lower() in UNASKED:
            continue
        mask = annotation.categories == category
        if kind == "instance":
            instances = np.unique(annotation.instances[mask])
            instances = instances[instances > 0]
            if len(instances) != 1:
                continue
            mask = annotation.instances == instances[0]
            if np.count_nonzero(mask) < min_px:
                continue
        found.append(Askable(name, mask))
    return found
