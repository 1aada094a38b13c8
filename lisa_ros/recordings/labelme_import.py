"""A folder of labelme files becomes a lab dataset."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from lisa_ros.errors import DatasetError
from lisa_ros.recordings.dataset_folder import About, split_stem
from lisa_ros.recordings.documents import decode_text, read_bytes, read_json
from lisa_ros.recordings.finding import Finding, error, warning
from lisa_ros.recordings.labelme_annotation import annotate_shapes
from lisa_ros.recordings.labelme_file import read_labelme
from lisa_ros.recordings.new_dataset import new_dataset
from lisa_ros.recordings.query_checks import text_findings
from lisa_ros.recordings.sample import LabSample
from lisa_ros.recordings.writer import RESERVE_BYTES, write_sample

_IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png", ".bmp", ".webp", ".tif", ".tiff")


@dataclass(frozen=True)
class PlannedSample:
    """A labelme file, and the sample that it becomes: "<folder>/<file>", in a split."""

    file: Path
    stem: str
    split: str


@dataclass(frozen=True)
class ImportPlan:
    """What an import would write, and all that is wrong; with an error nothing can be written."""

    samples: tuple[PlannedSample, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.severity == "error" for finding in self.findings)


def plan_import(folder: Path, val: Collection[str] = ()) -> ImportPlan:
    """Look at every labelme file below a folder, and at its image; writes nothing.

    Each folder that holds files becomes a bag of the dataset, named by its path below `folder`, "-"
    between its parts, or else by `folder` itself. val: the folders, such as "day2/table", whose
    files are for validation; those of all others are for training, since frames of one recording
    are too alike to be on both sides.

    Raises:
        DatasetError: no such folder, or no such folder to validate with.

    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}. Name the one with labelme's files.")
    files = [path for path in sorted(folder.rglob("*.json")) if not _hidden(path, folder)]
    places = {path.parent.relative_to(folder).as_posix() for path in files}
    val = {Path(name).as_posix() for name in val}
    unknown = sorted(val - places)
    if unknown:
        raise DatasetError(
            f"No labelme file in {folder / unknown[0]}; folders with files: "
            f"{', '.join(sorted(places)) or 'none'}."
        )
    samples: list[PlannedSample] = []
    findings: list[Finding] = []
    taken: set[str] = set()
    for path in files:
        place = path.parent.relative_to(folder).as_posix()
        stem = f"{_bag(folder, place)}/{path.stem}"
        usable, found = _examine(path, stem)
        findings += found
        if usable and stem in taken:
            message = f"would be sample {stem!r}, as another file is; rename its folder"
            findings.append(error(path, message))
        elif usable:
            taken.add(stem)
            samples.append(PlannedSample(path, stem, "val" if place in val else "train"))
    findings += _unlabelled(folder, files)
    if not samples and not any(finding.severity == "error" for finding in findings):
        findings.append(error(folder, "holds nothing to import; label images in labelme first"))
    return ImportPlan(tuple(samples), tuple(findings))


def import_labelme(
    plan: ImportPlan, out: Path, about: About, *, reserve_bytes: int = RESERVE_BYTES
) -> None:
    """Write what is planned as a new lab dataset, which is there as a whole or not at all.

    Images are stored as JPEG, upright. reserve_bytes: what must stay free on the disk.

    Raises:
        DatasetError: the plan has errors, `out` is not empty, a full disk, or a file that has
            changed since.

    """
    if plan.errors:
        raise DatasetError(
            f"{plan.errors} errors keep the files from being imported; cure them first."
        )
    with new_dataset(out, about) as dataset:
        for planned in plan.samples:
            file = read_labelme(planned.file)
            image, _ = file.image()
            name = f"{split_stem(planned.stem)[1]}.jpg"
            annotation, problems = annotate_shapes(file, name, image.shape[:2])
            if annotation is None:
                raise DatasetError(f"{planned.file} has changed: {'; '.join(problems)}")
            sample = LabSample(image, annotation)
            write_sample(
                dataset, planned.stem, sample, split=planned.split, reserve_bytes=reserve_bytes
            )


def _examine(path: Path, stem: str) -> tuple[bool, list[Finding]]:
    """Whether a file becomes a sample, and what there is to say about it."""
    try:
        content = read_json(path)
        if not isinstance(content, dict) or "shapes" not in content:
            return False, [warning(path, "is no file of labelme (no 'shapes'), so it is left out")]
        _, encoding = decode_text(read_bytes(path), path)
        file = read_labelme(path)
        image, turned = file.image()
        _, frame = split_stem(stem)
    except DatasetError as problem:
        return False, [error(path, str(problem))]
    annotation, problems = annotate_shapes(file, f"{frame}.jpg", image.shape[:2])
    if problems:
        return False, [error(path, problem) for problem in problems]
    if annotation is None:
        return False, [warning(path, "has no shape to ask for, so it is left out")]
    texts = [text for query in annotation.asked for text in query.texts]
    found = [finding for text in texts for finding in text_findings(path, text)]
    if encoding != "utf-8":
        found.append(warning(path, f"is not UTF-8, so it is read as {encoding}; check its texts"))
    if turned:
        message = "is turned by its EXIF tag, as labelme shows it; it will be stored upright"
        found.append(warning(path, message))
    return True, found


def _bag(folder: Path, place: str) -> str:
    return folder.resolve().name if place == "." else place.replace("/", "-")


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _unlabelled(folder: Path, files: list[Path]) -> Iterator[Finding]:
    """Images that no file is named like."""
    labelled = {path.stem for path in files}
    images = (p for p in sorted(folder.rglob("*")) if p.suffix.lower() in _IMAGE_SUFFIXES)
    bare = [p for p in images if p.stem not in labelled and not _hidden(p, folder)]
    if bare:
        yield warning(
            folder,
            f"{len(bare)} images have no labelme file of their name, such as "
            f"{bare[0].relative_to(folder)}",
        )
