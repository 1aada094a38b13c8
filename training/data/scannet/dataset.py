"""ScanNetv2 as training conversations: "Can you segment the office chair in this image?"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.types import Float64Array, UInt8Array
from training.data.class_questions import class_conversations
from training.data.phrasing import drawn, validation_turn
from training.data.sample import NothingToAskError, Problem, Sample
from training.data.scannet.annotated_mesh import AnnotatedMesh
from training.data.scannet.annotation import Annotation, Askable, askable
from training.data.scannet.depth_view import DepthView
from training.data.scannet.selection import Selection
from training.data.scannet.splits import space_of

# How many frames in a row may have nothing to ask for, before that is an error.
_PATIENCE = 1000


class AnnotatedFrames(Protocol):
    """The frames of one scan that are used, wherever they are stored."""

    scan_id: str
    numbers: Sequence[int]

    def image(self, number: int) -> tuple[Path, UInt8Array | None]:
        """The colour image: its file, or its name and u8[H,W,3]."""
        ...

    def pose(self, number: int) -> Float64Array | None:
        """`T_world_camera` f64[4,4]; None where tracking was lost."""
        ...

    def annotation(self, number: int) -> Annotation:
        """What is annotated in it."""
        ...

    def depth_view(self, number: int) -> DepthView:
        """Its depth, for 3D targets."""
        ...

    def mesh(self) -> AnnotatedMesh | None:
        """The scan's mesh, if this layout has one and it is on disk."""
        ...

    def counts(self) -> Mapping[str, int]:
        """What there is of what, beyond images."""
        ...

    def problems(self) -> Iterator[Problem]:
        """What is wrong with its files."""
        ...


class ScanNetDataset:
    """An `ImageDataset` of frames of many scans; opened by `opening`.

    found: problems that opening came upon, such as scans that are not on disk.

    Raises:
        DatasetError: there is not a single frame.

    """

    def __init__(
        self,
        name: str,
        sources: Sequence[AnnotatedFrames],
        selection: Selection,
        found: Sequence[Problem] = (),
    ) -> None:
        self._name, self.sources, self.selection = name, tuple(sources), selection
        self._found = tuple(found)
        self._ends = np.cumsum([len(source.numbers) for source in self.sources])
        if not len(self):
            raise DatasetError(
                f"{name}: not a single frame"
                f"{f' ({self._found[-1].path} {self._found[-1].message})' if self._found else ''}; "
                "check the split file and which scans are on disk or left out."
            )

    @property
    def name(self) -> str:
        """Such as "scannet|train|instance"."""
        return self._name

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def frame(self, index: int) -> tuple[AnnotatedFrames, int]:
        """The source and the frame number of an index."""
        if not 0 <= index < len(self):
            raise IndexError(f"{self.name} has images 0 to {len(self) - 1}, got {index}")
        at = int(np.searchsorted(self._ends, index, side="right"))
        source = self.sources[at]
        return source, source.numbers[index - int(self._ends[at]) + len(source.numbers)]

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Draw questions about one image; of one without anything to ask, about the next.

        Raises:
            DatasetError: a file is missing or malformed, or a thousand images in a row have nothing
                to ask for.

        """
        for step in range(min(len(self), _PATIENCE)):
            source, number = self.frame((index + step) % len(self))
            found = askable(
                source.annotation(number), self.selection.kind, self.selection.min_share
            )
            if found:
                return self._ask(source, number, found, rng)
        raise DatasetError(
            f"{self.name}: nothing to ask for in image {index} and those after it; check the 2D "
            f"annotation (python -m training.data validate), or lower min_share "
            f"({self.selection.min_share})."
        )

    def validation_sample(self, index: int) -> Sample:
        """Ask for everything in one image that a name means something definite for, in order.

        Raises:
            DatasetError: a file is missing or malformed.
            NothingToAskError: there is no such thing, as where tracking was lost.

        """
        source, number = self.frame(index)
        found = askable(source.annotation(number), self.selection.kind, self.selection.min_share)
        path, pixels = source.image(number)
        if not found:
            raise NothingToAskError(f"{path} shows nothing that can be asked for.")
        turns = [validation_turn(target.name, is_sentence=False) for target in found]
        masks = np.stack([target.mask for target in found]).astype(np.uint8)
        return Sample(self.name, path, tuple((turn,) for turn in turns), masks, pixels)

    def counts(self) -> Mapping[str, int]:
        """Images, scans, spaces, and objects where they are known."""
        counts = {
            "images": len(self),
            "scans": len(self.sources),
            "spaces": len({space_of(source.scan_id) for source in self.sources}),
        }
        for source in self.sources:
            for what, count in source.counts().items():
                counts[what] = counts.get(what, 0) + count
        return counts

    def problems(self) -> Iterator[Problem]:
        """Check every scan; slow."""
        yield from self._found
        for source in self.sources:
            yield from source.problems()

    def _ask(
        self,
        source: AnnotatedFrames,
        number: int,
        found: Sequence[Askable],
        rng: np.random.Generator,
    ) -> Sample:
        chosen = [found[at] for at in drawn(len(found), self.selection.questions, rng)]
        conversations = class_conversations([target.name for target in chosen], rng)
        path, pixels = source.image(number)
        masks = np.stack([target.mask for target in chosen]).astype(np.uint8)
        return Sample(self.name, path, conversations, masks, pixels)
