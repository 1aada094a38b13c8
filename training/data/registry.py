"""All datasets by name, opened lazily: a name costs no import until it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from lisa_ros.errors import ConfigurationError, DatasetError
from lisa_ros.recordings.dataset_folder import DATASET_FILE
from training.data.sample import ImageDataset

LAB = "lab"

# folder, split (None: the usual one) → the dataset
_Opener = Callable[[Path, str | None], ImageDataset]


def open_dataset(kind: str, folder: Path, split: str | None = None) -> ImageDataset:
    """Open a dataset.

    kind: one of `KINDS`, or a name with its splits such as "ReasonSeg|train" or
    "refcoco|unc|testA". folder: of "lab" the dataset's own, of all others the tree that upstream
    calls `--dataset_dir`. split: "train" where None; all samples of a lab's.

    Raises:
        ConfigurationError: no such kind, or a kind that has the train split only.
        DatasetError: no such dataset or split, or its index is malformed.

    """
    if "|" in kind:
        if split is not None:
            raise ConfigurationError(f"{kind!r} names its split already; leave out {split!r}.")
        return _data_string(folder, kind)
    if kind not in KINDS:
        raise ConfigurationError(
            f"Unknown kind of dataset {kind!r}; choose one of {', '.join(KINDS)}, or name the "
            'splits as in "ReasonSeg|train_val" or "refcoco|unc|testA".'
        )
    return KINDS[kind](folder, split)


def kind_of(folder: Path) -> str:
    """The kind that shows in the folder itself, which is only a lab's.

    Raises:
        DatasetError: it does not show; says how to name it.

    """
    if (folder / DATASET_FILE).is_file():
        return LAB
    raise DatasetError(
        f"{folder} has no {DATASET_FILE}, so it is no lab dataset. Name its kind: --kind with one "
        f"of {', '.join(KINDS)}."
    )


def _lab(folder: Path, split: str | None) -> ImageDataset:
    from training.data.lab import LabDataset

    return LabDataset(folder, split)


def _train_only(split: str | None) -> None:
    if split not in (None, "train"):
        raise ConfigurationError(f"Only the train split is read, not {split!r}; leave --split out.")


def _ade20k(folder: Path, split: str | None) -> ImageDataset:
    from training.data.ade20k import open_ade20k

    _train_only(split)
    return open_ade20k(folder)


def _coco_stuff(folder: Path, split: str | None) -> ImageDataset:
    from training.data.coco_stuff import open_coco_stuff

    _train_only(split)
    return open_coco_stuff(folder)


def _mapillary(folder: Path, split: str | None) -> ImageDataset:
    from training.data.mapillary import open_mapillary

    _train_only(split)
    return open_mapillary(folder)


def _paco(folder: Path, split: str | None) -> ImageDataset:
    from training.data.paco import open_paco

    _train_only(split)
    return open_paco(folder)


def _pascal_part(folder: Path, split: str | None) -> ImageDataset:
    from training.data.pascal_part import open_pascal_part

    _train_only(split)
    return open_pascal_part(folder)


def _llava_instruct(folder: Path, split: str | None) -> ImageDataset:
    from training.data.llava_instruct import LlavaInstruct

    _train_only(split)
    instructions = folder / "llava_dataset" / "llava_instruct_150k.json"
    return LlavaInstruct(instructions, folder / "coco" / "train2017")


def _reason_seg(folder: Path, split: str | None) -> ImageDataset:
    return _data_string(folder, f"ReasonSeg|{split or 'train'}")


def _scannet(folder: Path, split: str | None) -> ImageDataset:
    from training.data.scannet.opening import open_scans
    from training.data.scannet.selection import Selection

    return open_scans(folder / "scannet", split or "train", Selection(reason_seg=_leaks_of(folder)))


def _scannet_25k(folder: Path, split: str | None) -> ImageDataset:
    from training.data.scannet.opening import open_frames_25k
    from training.data.scannet.selection import Selection

    selection = Selection(reason_seg=_leaks_of(folder))
    return open_frames_25k(folder / "scannet", split or "train", selection)


def _leaks_of(folder: Path) -> Path | None:
    """ReasonSeg, if it is there: its val and test images show scans of ScanNet."""
    reason_seg = folder / "reason_seg" / "ReasonSeg"
    return reason_seg if reason_seg.is_dir() else None


def _referring(kind: str) -> _Opener:
    def opener(folder: Path, split: str | None) -> ImageDataset:
        from training.data.data_strings import USUAL_SPLITS_BY

        return _data_string(folder, f"{kind}|{USUAL_SPLITS_BY[kind]}|{split or 'train'}")

    return opener


def _data_string(folder: Path, text: str) -> ImageDataset:
    from training.data.data_strings import open_data_string

    return open_data_string(folder, text)


# The names of upstream's options.
KINDS: Mapping[str, _Opener] = MappingProxyType(
    {
        LAB: _lab,
        "reason_seg": _reason_seg,
        "ade20k": _ade20k,
        "cocostuff": _coco_stuff,
        "mapillary": _mapillary,
        "paco_lvis": _paco,
        "pascal_part": _pascal_part,
        "refclef": _referring("refclef"),
        "refcoco": _referring("refcoco"),
        "refcoco+": _referring("refcoco+"),
        "refcocog": _referring("refcocog"),
        "grefcoco": _referring("grefcoco"),
        "llava_instruct": _llava_instruct,
        "scannet": _scannet,
        "scannet_25k": _scannet_25k,
    }
)
