"""From masks with questions, as a model or a simulation gives them, to an annotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lisa_ros.errors import DatasetError, MaskError
from lisa_ros.recordings.annotation import IGNORE_LABEL, TARGET_LABEL, Annotation, Query, Shape
from lisa_ros.recordings.mask_outline import mask_outlines
from lisa_ros.types import BoolArray

# What labelme writes besides, so that it opens the file as one of its own.
_LABELME: dict[str, object] = {"version": "5.0.1", "flags": {}, "imageData": None}
_LABELME_SHAPE: dict[str, object] = {"flags": {}}


@dataclass(frozen=True)
class MaskedQuery:
    """One question in several wordings and its answer bool[H,W]; an empty mask: not there."""

    texts: tuple[str, ...]
    is_sentence: bool
    mask: BoolArray


def annotate(
    image_name: str,
    size: tuple[int, int],
    questions: Sequence[MaskedQuery],
    ignore: BoolArray | None = None,
) -> Annotation:
    """Build the annotation of an image of size (H, W), drawn back exactly by `Annotation.mask`.

    One question needs no `queries`; several get a group of shapes each. (A reader that knows no
    `queries` takes the shapes of all groups for the answer to the first question.) ignore:
    bool[H,W], pixels that count neither way; a target's pixel in it is a target.

    Raises:
        DatasetError: no question.
        MaskError: a mask of another size or dtype than the image.

    """
    if not questions:
        raise DatasetError(f"No question about {image_name}; give at least one.")
    for mask in [question.mask for question in questions] + ([] if ignore is None else [ignore]):
        if mask.shape != size or mask.dtype != bool:
            raise MaskError(
                f"got a mask {mask.dtype}{list(mask.shape)}, expected bool{list(size)} like the "
                f"image {image_name}; pass the mask at the image's own size"
            )
    several = len(questions) > 1
    shapes: list[Shape] = []
    queries = []
    for number, question in enumerate(questions, start=1):
        group = number if several else None
        shapes += _shapes(TARGET_LABEL, question.mask, group)
        if ignore is not None:
            shapes += _shapes(IGNORE_LABEL, ignore & ~question.mask, group)
        no_target = not question.mask.any()
        queries.append(Query(question.texts, question.is_sentence, group, no_target))
    first = next((query for query in queries if not query.no_target), queries[0])
    return Annotation(
        image_name=image_name,
        width=size[1],
        height=size[0],
        query=replace(first, group_id=None),
        shapes=tuple(shapes),
        queries=tuple(queries) if several else (),
        other=_LABELME,
    )


def _shapes(label: str, mask: BoolArray, group: int | None) -> list[Shape]:
    outlines = mask_outlines(mask)
    return [Shape(label, outline, group, other=_LABELME_SHAPE) for outline in outlines]
