"""From names and folders to what is evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lisa_ros.errors import ConfigurationError
from training.data.llava_instruct import VAL, LlavaInstruct
from training.data.registry import open_dataset
from training.data.sample import ImageDataset
from training.evaluation.asked import EvaluationSet
from training.evaluation.lab_set import open_lab_set
from training.evaluation.public_sets import open_public_set
from training.evaluation.scannet_set import NAME, open_scannet_set


def open_sets(
    dataset_dir: Path | None, names: Sequence[str], labs: Sequence[Path], lab_split: str
) -> list[EvaluationSet]:
    """Open public sets by name in upstream's tree, and lab sets by folder.

    Raises:
        ConfigurationError: names without a tree, or of no known form.
        DatasetError: a set is not there, empty or malformed.

    """
    if names and dataset_dir is None:
        raise ConfigurationError(
            f"{', '.join(names)} are looked for in --dataset-dir; name the folder that upstream "
            "calls --dataset_dir."
        )
    public = [_open_public(dataset_dir, name) for name in names] if dataset_dir else []
    return [*public, *(open_lab_set(folder, lab_split) for folder in labs)]


def _open_public(dataset_dir: Path, name: str) -> EvaluationSet:
    opened = open_scannet_set if NAME.fullmatch(name) else open_public_set
    return opened(dataset_dir, name)


def open_conversations(dataset_dir: Path | None, where: Sequence[str]) -> ImageDataset:
    """Open plain conversations: a LLaVA-Instruct file and its images, or the held-out ones.

    where: file and folder of images; or nothing, for the "val" of `dataset_dir`'s
    llava_instruct_150k.json, which this project's trainer sets aside (upstream's does not).

    Raises:
        ConfigurationError: neither a file with its images, nor a tree.
        DatasetError: the file is missing, malformed or empty, or no item is set aside.

    """
    if len(where) == 2:
        return LlavaInstruct(Path(where[0]), Path(where[1]))
    if where or dataset_dir is None:
        raise ConfigurationError(
            f"--talk got {len(where)} values; expected a LLaVA-Instruct file and the folder of its "
            "images, or none together with --dataset-dir."
        )
    return open_dataset("llava_instruct", dataset_dir, VAL)
