"""Opens ScanNet as it lies on disk: the `scans` tree, or `scannet_frames_25k`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from training.data.sample import Problem
from training.data.scannet.dataset import ScanNetDataset
from training.data.scannet.frames_25k import Frames25kScan
from training.data.scannet.labels import TABLE_NAME, read_labels
from training.data.scannet.recorded_frames import RecordedFrames
from training.data.scannet.scan import ScanFolder
from training.data.scannet.selection import Selection
from training.data.scannet.splits import (
    read_split,
    reason_seg_scans,
    space_of,
    without_spaces_of,
)

_OFFICIAL = ("train", "val", "test")


def open_scans(root: Path, split: str, selection: Selection) -> ScanNetDataset:
    """Open `root/scans/<id>` of the scans in `root/scannetv2_<split>.txt`, with the label table.

    Raises:
        DatasetError: split, table or a recording's header is missing or malformed, or no scan of
            the split is on disk.

    """
    table = read_labels(root / TABLE_NAME)
    present, found = _scans_on_disk(root, split, root / "scans", selection)
    sources = [
        RecordedFrames(ScanFolder(path), table, selection.every, selection.posed_only)
        for path in present
    ]
    return ScanNetDataset(f"scannet|{split}|{selection.kind}", sources, selection, found)


def open_frames_25k(root: Path, split: str, selection: Selection) -> ScanNetDataset:
    """Open the scans in `root/scannetv2_<split>.txt` of the frames of the benchmark's download.

    They are in `root/tasks/scannet_frames_25k/<id>` or `root/scannet_frames_25k/<id>`.

    Raises:
        DatasetError: the split is missing or malformed, or no scan of it is on disk.

    """
    folder = root / "tasks" / "scannet_frames_25k"
    if not folder.is_dir():
        folder = root / "scannet_frames_25k"
    present, found = _scans_on_disk(root, split, folder, selection)
    sources = [Frames25kScan(path, selection.posed_only) for path in present]
    return ScanNetDataset(f"scannet_25k|{split}|{selection.kind}", sources, selection, found)


def _scans_on_disk(
    root: Path, split: str, folder: Path, selection: Selection
) -> tuple[list[Path], list[Problem]]:
    """The folders of a split's scans, and what is wrong with the selection."""
    scans: Sequence[str] = read_split(root / f"scannetv2_{split}.txt")
    problems = list(_leaks(root, split, scans))
    if selection.reason_seg is not None:
        scans = without_spaces_of(scans, reason_seg_scans(selection.reason_seg))
        problems += [
            Problem(
                "warning",
                selection.reason_seg / shown,
                "is not there, so the scans that it shows are not left out; download it.",
            )
            for shown in ("val", "test")
            if not (selection.reason_seg / shown).is_dir()
        ]
    elif split == "train":
        message = "ReasonSeg's val and test show some of these scans; give its folder as reason_seg"
        problems.append(Problem("warning", root, f"{message} to leave them out."))
    paths = [folder / scan for scan in scans]
    problems += [
        Problem("warning", path, "is in the split, but not on disk; download it.")
        for path in paths
        if not path.is_dir()
    ]
    return [path for path in paths if path.is_dir()], problems


def _leaks(root: Path, split: str, scans: Sequence[str]) -> Iterator[Problem]:
    """Spaces that another of the official splits shows too."""
    spaces = {space_of(scan) for scan in scans}
    for other in _OFFICIAL if split in _OFFICIAL else ():
        path = root / f"scannetv2_{other}.txt"
        if other == split or not path.exists():
            continue
        shared = sorted(spaces & {space_of(scan) for scan in read_split(path)})
        if shared:
            message = f"shows {len(shared)} spaces that the split {split} shows too, such as"
            yield Problem("error", path, f"{message} {shared[0]}; divide scans by space.")
