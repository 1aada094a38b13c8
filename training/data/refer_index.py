"""What the files of a referring set say: which sentences mean which annotations of an image.

Source: the format of lichengunc/refer: `instances.json` in COCO's form, and a pickle of refs, one
for each object, that hold the sentences and the split. gRefCOCO's refs name several annotations,
or [-1] where nothing in the image is meant, and may be JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lisa_ros.errors import DatasetError
from training.data.coco_annotations import CocoImage, Wanted, read_coco_index
from training.data.fields import field, of_kind, read_json
from training.data.restricted_pickle import load_plain_pickle

_NO_TARGET = [-1]
_TRAIN = "train"


class Ref(NamedTuple):
    """One object, or several, of an image, and the sentences that mean just these.

    annotations: ids of `instances.json`; none where nothing in the image is meant.
    """

    image_id: int
    split: str
    annotations: tuple[int, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class ReferIndex:
    """One split of a set.

    images: by id. refs: of each image, in the order of the file. segmentations: polygons and
    run-lengths as stored, by the id of the annotation; not looked at yet. shared: how many of the
    images the other splits have too, by split.
    """

    instances: Path
    images: tuple[CocoImage, ...]
    refs: Mapping[int, Sequence[Ref]]
    segmentations: Mapping[int, object]
    shared: Mapping[str, int]

    def leaks(self, split: str) -> Iterator[str]:
        """What is wrong with this split: its images are trained on, and evaluated on elsewhere."""
        for other, number in self.shared.items():
            if _TRAIN in (split, other):
                yield (
                    f"{number} images of {split!r} are in {other!r} too, as in google's splits: a "
                    "leak; evaluate with splits by others (unc, umd)"
                )


def refs_file(folder: Path, split_by: str) -> Path:
    """Where the refs of these splits are.

    Raises:
        DatasetError: there is no such file.

    """
    path = folder / f"refs({split_by}).p"
    if not path.is_file():
        present = ", ".join(sorted(p.name for p in folder.glob("refs(*).p"))) or "none"
        raise DatasetError(
            f"There is no {path}; refs found in that folder: {present}. Check the dataset's folder "
            "and who made the splits (refcocog: umd, the others: unc)."
        )
    return path


def read_refs(path: Path) -> tuple[Ref, ...]:
    """Read the refs of all splits, from a pickle or, by its suffix, from JSON.

    Raises:
        DatasetError: the file is missing, malformed, or holds more than plain data.

    """
    loaded = read_json(path) if path.suffix == ".json" else load_plain_pickle(path)
    refs = of_kind(loaded, list, str(path))
    return tuple(_ref(item, f"ref {number} of {path}") for number, item in enumerate(refs))


def _ref(item: object, where: str) -> Ref:
    sentences = field(item, "sentences", list, where)
    return Ref(
        field(item, "image_id", int, where),
        field(item, "split", str, where),
        _annotation_ids(field(item, "ann_id", object, where), where),
        tuple(field(one, "sent", str, f"a sentence of {where}") for one in sentences),
    )


def _annotation_ids(value: object, where: str) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    ids = tuple(of_kind(one, int, f"'ann_id' of {where}") for one in values)
    if values == _NO_TARGET:
        return ()
    if not ids or min(ids) < 0:
        raise DatasetError(
            f"'ann_id' of {where} is {values}; expected ids of annotations, or [-1] where nothing "
            "is meant. Restore the file."
        )
    return ids


def read_refer_index(instances: Path, refs_path: Path, split: str) -> ReferIndex:
    """Read the refs of exactly this split, and what `instances.json` says of their images.

    Raises:
        DatasetError: a file is missing or malformed, the split does not occur, or a ref names an
            image or an annotation that does not exist.

    """
    every = read_refs(refs_path)
    chosen = [ref for ref in every if ref.split == split]
    if not chosen:
        present = ", ".join(f"{name} ({n} refs)" for name, n in _splits(every).items())
        raise DatasetError(f"{refs_path} has no split {split!r}; choose one of: {present}.")
    refs: dict[int, list[Ref]] = {}
    for ref in chosen:
        refs.setdefault(ref.image_id, []).append(ref)
    named = frozenset(annotation for ref in chosen for annotation in ref.annotations)
    index = read_coco_index(instances, Wanted(refs, named))
    missing = sorted(refs.keys() - {image.id for image in index.images})
    if missing:
        raise DatasetError(
            f"{instances} lacks {len(missing)} images that sentences refer to, such as image "
            f"{missing[0]}. Use instances.json of the same release as the refs."
        )
    for ref in chosen:
        own = {annotation.id for annotation in index.annotations.get(ref.image_id, ())}
        strange = [annotation for annotation in ref.annotations if annotation not in own]
        if strange:
            raise DatasetError(
                f"{refs_path} refers to annotation {strange[0]} of image {ref.image_id}, which "
                f"{instances} does not have. Use files of the same release."
            )
    segmentations = {a.id: a.segmentation for found in index.annotations.values() for a in found}
    elsewhere = {(ref.split, ref.image_id) for ref in every if ref.split != split}
    shared = Counter(other for other, image_id in sorted(elsewhere) if image_id in refs)
    return ReferIndex(instances, index.images, refs, segmentations, shared)


def _splits(refs: Iterable[Ref]) -> dict[str, int]:
    return dict(sorted(Counter(ref.split for ref in refs).items()))
