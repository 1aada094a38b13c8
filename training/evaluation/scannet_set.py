"""Annotated frames of ScanNet as an evaluation set: things by their names, with depth."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from lisa_ros.errors import ConfigurationError
from training.data.registry import open_dataset
from training.data.sample import Sample
from training.data.scannet.dataset import ScanNetDataset
from training.evaluation.asked import AskedImage, Depth
from training.evaluation.validated_set import SHORT, ValidatedSet, asked_image

NAME = re.compile(r"(scannet|scannet_25k)\|(train|val|test)")


def open_scannet_set(dataset_dir: Path, name: str) -> ValidatedSet:
    """Open "scannet|val" or "scannet_25k|val" in upstream's tree.

    Of a recording every 100th frame, asked for what is the one thing of its name in it; the source
    of an image is its scan.

    Raises:
        ConfigurationError: the name is of neither form.
        DatasetError: no such split, or no scan of it is on disk.

    """
    named = NAME.fullmatch(name)
    if named is None:
        raise ConfigurationError(f'{name!r} is no set of ScanNet; expected such as "scannet|val".')
    dataset = open_dataset(named[1], dataset_dir, named[2])
    assert isinstance(dataset, ScanNetDataset)
    return ValidatedSet(dataset, lambda index, sample: _asked(dataset, index, sample))


def _asked(dataset: ScanNetDataset, index: int, sample: Sample) -> AskedImage:
    """Targets are lifted with the depth camera, whose pixels are not the colour image's."""
    source, number = dataset.frame(index)
    view = source.depth_view(number)
    depth = Depth(view.depth_m, view.depth_m, view.depth_camera, on_grid=view.on_depth_grid)
    asked = asked_image(sample, [SHORT] * len(sample.masks), source.scan_id)
    return dataclasses.replace(asked, name=f"{source.scan_id}/{number:06d}", depth=depth)
