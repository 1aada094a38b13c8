"""All datasets by name, opened lazily: a name costs no import until it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from lisa_ros.errors import ConfigurationError, DatasetError
from lisa_ros.recordings.dataset_folder import DATASET_FILE
from training.config import from_mapping
from training.data.options import (
    Asked,
    AskedAsUpstream,
    CocoOptions,
    CocoStuffOptions,
    ConversationOptions,
    LabOptions,
    ReasonSegOptions,
    RoomOptions,
    ScanNetOptions,
)
from training.data.sample import ImageDataset

if TYPE_CHECKING:
    from training.data.scannet.selection import Selection

LAB, ROOMS, REASON_SEG = "lab", "rooms", "reason_seg"
TRAIN = "train"
_EVALUATED = ("val", "test")
_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


class Kind(NamedTuple):
    """What can be chosen of a kind, and how one is opened: folder, split (None: the usual one)."""

    options: type
    open: Callable[[Path, str | None, Any], ImageDataset]


def open_dataset(
    kind: str,
    folder: Path,
    split: str | None = None,
    options: Mapping[str, Any] = _NO_OPTIONS,
) -> ImageDataset:
    """Open a dataset.

    kind: one of `KINDS`, or a name with its splits such as "ReasonSeg|train",
    "refcoco|unc|testA" or "scannet|val". folder: of "lab" and "rooms" the dataset's own, of all
    others the tree that upstream calls `--dataset_dir`. split: "train" where None; all samples of a
    lab's; of rooms the words of the requests, "train" or "unseen". options: see the kind's class in
    `options`.

    Of what is for training, images are left out that referring sets of the same tree (COCO's) or
    ReasonSeg (ScanNet's) are evaluated on.

    Raises:
        ConfigurationError: no such kind or option, or a kind that has the train split only.
        DatasetError: no such dataset or split, or its index is malformed.

    """
    if "|" in kind:
        if split is not None:
            raise ConfigurationError(f"{kind!r} names its split already; leave out {split!r}.")
        first, _, rest = kind.partition("|")
        if first in KINDS and first not in _usual_splits_by():
            return open_dataset(first, folder, rest, options)
        return _named(folder, kind, _options(_kind_named(kind), options))
    if kind not in KINDS:
        raise ConfigurationError(
            f"Unknown kind of dataset {kind!r}; choose one of {', '.join(KINDS)}, or name the "
            'splits as in "ReasonSeg|train_val" or "refcoco|unc|testA".'
        )
    return KINDS[kind].open(folder, split, _options(kind, options))


def kind_of(folder: Path) -> str:
    """The kind that shows in the folder itself: a lab's or simulated rooms.

    Raises:
        DatasetError: it does not show; says how to name it.

    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}.")
    if (folder / DATASET_FILE).is_file():
        return LAB
    if any(folder.glob("rooms-*.npz")):
        return ROOMS
    raise DatasetError(
        f"{folder} has no {DATASET_FILE}, so it is no lab dataset, and no rooms-*.npz. Name its "
        f"kind: --kind with one of {', '.join(KINDS)}. Labelme's files become a lab dataset by "
        "python -m training.data import-labelme."
    )


def _options(kind: str, given: Mapping[str, Any]) -> Any:
    return from_mapping(KINDS[kind].options, dict(given), f"The options of {kind}")


def _kind_named(text: str) -> str:
    """The kind that a name such as "refcoco|unc|testA" is of."""
    from training.data.data_strings import ReferName, parse_data_string

    name = parse_data_string(text)
    return name.kind if isinstance(name, ReferName) else REASON_SEG


def _lab(folder: Path, split: str | None, options: LabOptions) -> ImageDataset:
    from training.data.lab import LabDataset

    return LabDataset(
        folder,
        split,
        texts_per_image=options.max_questions,
        reason_only_share=options.reason_only_share,
    )


def _rooms(folder: Path, split: str | None, options: RoomOptions) -> ImageDataset:
    from training.data.room_requests import KindChoice
    from training.data.simulated import SimulatedRooms

    return SimulatedRooms(
        folder,
        split or TRAIN,
        requests_per_image=options.requests_per_image,
        absent_share=options.absent_share,
        prompt_template=options.prompt_template,
        kinds=KindChoice(frozenset(options.only_kinds), frozenset(options.without_kinds)),
        bare_answer_share=options.bare_answer_share,
        taught=options.taught,
    )


def _train_only(split: str | None) -> None:
    if split not in (None, TRAIN):
        raise ConfigurationError(f"Only the train split is read, not {split!r}; leave --split out.")


def _ade20k(folder: Path, split: str | None, options: Asked) -> ImageDataset:
    from training.data.ade20k import open_ade20k

    _train_only(split)
    return open_ade20k(folder, options.max_questions)


def _coco_stuff(folder: Path, split: str | None, options: CocoStuffOptions) -> ImageDataset:
    from training.data.coco_stuff import open_coco_stuff

    _train_only(split)
    return _held_out(open_coco_stuff(folder, options.max_questions), folder, options.hold_out)


def _mapillary(folder: Path, split: str | None, options: AskedAsUpstream) -> ImageDataset:
    from training.data.mapillary import open_mapillary

    _train_only(split)
    return open_mapillary(folder, options.max_questions, options.upstream_compat)


def _paco(folder: Path, split: str | None, options: CocoOptions) -> ImageDataset:
    from training.data.paco import open_paco

    _train_only(split)
    images = open_paco(folder, options.max_questions, options.upstream_compat)
    return _held_out(images, folder, options.hold_out)


def _pascal_part(folder: Path, split: str | None, options: AskedAsUpstream) -> ImageDataset:
    from training.data.pascal_part import open_pascal_part

    _train_only(split)
    return open_pascal_part(folder, options.max_questions, options.upstream_compat)


def _llava_instruct(folder: Path, split: str | None, options: ConversationOptions) -> ImageDataset:
    from training.data.llava_instruct import VAL, LlavaInstruct

    split = split or TRAIN
    if split not in (TRAIN, VAL):
        raise ConfigurationError(f"llava_instruct has the splits train and val, not {split!r}.")
    instructions = folder / "llava_dataset" / "llava_instruct_150k.json"
    images = folder / "coco" / "train2017"
    items = LlavaInstruct(instructions, images, split, options.val_share)
    return _held_out(items, folder, options.hold_out and split == TRAIN)


def _reason_seg(folder: Path, split: str | None, options: ReasonSegOptions) -> ImageDataset:
    return _named(folder, f"ReasonSeg|{split or TRAIN}", options)


def _referring(kind: str) -> Callable[[Path, str | None, AskedAsUpstream], ImageDataset]:
    def opener(folder: Path, split: str | None, options: AskedAsUpstream) -> ImageDataset:
        return _named(folder, f"{kind}|{_usual_splits_by()[kind]}|{split or TRAIN}", options)

    return opener


def _usual_splits_by() -> Mapping[str, str]:
    from training.data.data_strings import USUAL_SPLITS_BY

    return USUAL_SPLITS_BY


def _named(folder: Path, text: str, options: ReasonSegOptions | AskedAsUpstream) -> ImageDataset:
    from training.data.data_strings import open_data_string

    explained = options.reason_only_share if isinstance(options, ReasonSegOptions) else None
    dataset = open_data_string(
        folder,
        text,
        max_questions=options.max_questions,
        reason_only_share=explained,
        upstream_compat=options.upstream_compat,
    )
    trained_on = text.endswith(f"|{TRAIN}")
    wanted = isinstance(options, CocoOptions) and options.hold_out and trained_on
    return _held_out(dataset, folder, wanted)


def _scannet(folder: Path, split: str | None, options: ScanNetOptions) -> ImageDataset:
    from training.data.scannet.opening import open_scans

    split = split or TRAIN
    return open_scans(folder / "scannet", split, _selection(folder, split, options))


def _scannet_25k(folder: Path, split: str | None, options: ScanNetOptions) -> ImageDataset:
    from training.data.scannet.opening import open_frames_25k

    split = split or TRAIN
    return open_frames_25k(folder / "scannet", split, _selection(folder, split, options))


def _selection(folder: Path, split: str, options: ScanNetOptions) -> Selection:
    from training.data.scannet.selection import Selection

    # If it is there: the val and test images of ReasonSeg show scans of ScanNet, which are not to
    # be trained on. Of what is only evaluated on nothing is left out, whatever else is on disk.
    reason_seg = folder / "reason_seg" / "ReasonSeg"
    left_out = split not in _EVALUATED and reason_seg.is_dir()
    return Selection(
        kind=options.target,
        every=options.every,
        min_share=options.min_share,
        questions=options.max_questions,
        posed_only=options.posed_only,
        reason_seg=reason_seg if left_out else None,
    )


def _held_out(dataset: ImageDataset, folder: Path, wanted: bool) -> ImageDataset:
    from training.data.held_out import without_evaluated

    return without_evaluated(dataset, folder / "refer_seg") if wanted else dataset


# The names of upstream's options.
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        LAB: Kind(LabOptions, _lab),
        ROOMS: Kind(RoomOptions, _rooms),
        REASON_SEG: Kind(ReasonSegOptions, _reason_seg),
        "ade20k": Kind(Asked, _ade20k),
        "cocostuff": Kind(CocoStuffOptions, _coco_stuff),
        "mapillary": Kind(AskedAsUpstream, _mapillary),
        "paco_lvis": Kind(CocoOptions, _paco),
        "pascal_part": Kind(AskedAsUpstream, _pascal_part),
        "refclef": Kind(AskedAsUpstream, _referring("refclef")),
        "refcoco": Kind(CocoOptions, _referring("refcoco")),
        "refcoco+": Kind(CocoOptions, _referring("refcoco+")),
        "refcocog": Kind(CocoOptions, _referring("refcocog")),
        "grefcoco": Kind(CocoOptions, _referring("grefcoco")),
        "llava_instruct": Kind(ConversationOptions, _llava_instruct),
        "scannet": Kind(ScanNetOptions, _scannet),
        "scannet_25k": Kind(ScanNetOptions, _scannet_25k),
    }
)
