"""Whether a lab dataset keeps the rules of its format, and what is in it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lisa_ros.durable_files import PARTIAL_SUFFIX
from lisa_ros.errors import DatasetError
from lisa_ros.recordings.dataset_folder import SPLITS, DatasetFolder, split_stem
from lisa_ros.recordings.explanations import explanations_path, read_explanations
from lisa_ros.recordings.finding import Finding, error, warning
from lisa_ros.recordings.image_files import read_color
from lisa_ros.recordings.polygon_mask import IGNORE, TARGET
from lisa_ros.recordings.query_checks import text_findings
from lisa_ros.recordings.sample import read_annotation, read_depth
from lisa_ros.recordings.sample_checks import sample_findings
from lisa_ros.recordings.sample_meta import SampleMeta, read_sample_meta

_OTHER_IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def folder_findings(folder: DatasetFolder) -> Iterator[Finding]:
    """Check splits, files and every sample; decodes every image. Slow."""
    listed: dict[str, tuple[str, ...]] = {}
    for split in SPLITS:
        try:
            listed[split] = folder.split_stems(split)
        except DatasetError as problem:
            yield error(folder.split_path(split), str(problem))
    yield from _split_findings(folder, listed)
    yield from _stray_findings(folder)
    stored = folder.stored_stems()
    yield from _unlisted_findings(folder, stored, listed)
    for stem in stored:
        try:
            yield from sample_findings(folder, stem)
        except DatasetError as problem:  # its name is none
            yield error(folder.path / "samples" / stem, str(problem))
    yield from _copy_findings(folder, listed)
    yield from _explanation_findings(folder)


def measure(folder: DatasetFolder, stems: Sequence[str]) -> dict[str, int]:
    """Pixels: smallest target, share ignored, share of target pixels with depth, per cent.

    Draws every mask and decodes every depth image. A share of nothing is left out.

    Raises:
        DatasetError: a file is missing or malformed; names it.

    """
    pixels: Counter[str] = Counter()
    smallest: list[int] = []
    for stem in stems:
        annotation = read_annotation(folder, stem)
        paths = folder.sample_paths(stem)
        measured = None
        if paths.depth.exists():
            meta = read_sample_meta(paths.meta) if paths.meta.exists() else SampleMeta()
            size = (annotation.height, annotation.width)
            measured = np.isfinite(read_depth(folder, stem, meta, size))
        for query in annotation.asked:
            mask = annotation.mask(query)
            target = mask == TARGET
            pixels.update(all=mask.size, ignored=int((mask == IGNORE).sum()))
            if target.any():
                smallest.append(int(target.sum()))
            if measured is not None:
                valid = int((target & measured).sum())
                pixels.update(target_with_depth=int(target.sum()), valid=valid)
    found = {"smallest_target_px": min(smallest)} if smallest else {}
    for name, part, whole in (
        ("ignored_percent", "ignored", "all"),
        ("target_depth_percent", "valid", "target_with_depth"),
    ):
        if pixels[whole]:
            found[name] = round(100 * pixels[part] / pixels[whole])
    return found


def _split_findings(folder: DatasetFolder, listed: dict[str, tuple[str, ...]]) -> Iterator[Finding]:
    if not any(listed.values()):
        yield error(
            folder.path / "splits",
            "lists no sample; write train.txt with lines like 'bag03/000123', by recording",
        )
    for split, stems in listed.items():
        path = folder.split_path(split)
        for stem, count in Counter(stems).items():
            if count > 1:
                yield error(path, f"lists {stem!r} {count} times; delete the copies")
            paths = folder.sample_paths(stem)
            for file in (paths.image, paths.annotation):
                if not file.is_file():
                    yield error(path, f"lists {stem!r}, but there is no {file}; add or unlist it")
    homes: dict[str, str] = {}
    for split, stems in listed.items():
        for bag in sorted({split_stem(stem)[0] for stem in stems}):
            if homes.setdefault(bag, split) != split:
                yield error(
                    folder.split_path(split),
                    f"has frames of bag {bag!r}, and so has {homes[bag]!r}; split by recording, "
                    "since frames of one are too alike",
                )
    for path in sorted((folder.path / "splits").glob("*")):
        if path.stem not in SPLITS or path.suffix != ".txt":
            yield warning(path, f"is not read; splits are {', '.join(SPLITS)}, each in a .txt")


def _stray_findings(folder: DatasetFolder) -> Iterator[Finding]:
    for path in sorted(folder.path.rglob(f"*{PARTIAL_SUFFIX}")):
        yield warning(path, "was left by a writer that was interrupted; delete it")
    samples = folder.path / "samples"
    for path in sorted(samples.glob("*")):
        if not path.is_dir() and not path.name.startswith("."):
            yield warning(path, "is not read; samples are in folders, samples/<bag>/<frame>.jpg")
    for path in sorted(samples.glob("*/*")):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield warning(path, "is a folder in a bag, which is not read; make it a bag of its own")
        elif path.suffix == ".jpg":
            if not path.with_suffix(".json").exists():
                yield warning(path, "has no annotation, so it is not used; annotate it")
        elif path.suffix.lower() in _OTHER_IMAGES and not path.name.endswith(".depth.png"):
            yield warning(path, "is not read; colour images are .jpg, depth images .depth.png")


def _unlisted_findings(
    folder: DatasetFolder, stored: Sequence[str], listed: dict[str, tuple[str, ...]]
) -> Iterator[Finding]:
    known = {stem for stems in listed.values() for stem in stems}
    for stem in stored:
        if stem not in known:
            path = folder.path / "samples" / f"{stem}.json"
            yield warning(path, "is in no split, so it is not used; list it in splits/")


def _copy_findings(folder: DatasetFolder, listed: dict[str, tuple[str, ...]]) -> Iterator[Finding]:
    """The same pixels under two names: a leak if the names are in different splits."""
    first: dict[bytes, tuple[str, Path]] = {}
    for split, stems in listed.items():
        for stem in dict.fromkeys(stems):
            path = folder.sample_paths(stem).image
            try:
                pixels = read_color(path)
            except DatasetError:  # what cannot be read has been reported
                continue
            digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
            home, original = first.setdefault(digest, (split, path))
            if home != split:
                yield error(path, f"of {split!r} is the same picture as {original} of {home!r}")
            elif original != path:
                yield warning(path, f"is the same picture as {original}; put queries into one file")


def _explanation_findings(folder: DatasetFolder) -> Iterator[Finding]:
    path = explanations_path(folder)
    try:
        explanations = read_explanations(folder)
    except DatasetError as problem:
        yield error(path, str(problem))
        return
    for explanation in explanations:
        for text in (explanation.query, explanation.text):
            yield from text_findings(path, text)
        if not folder.sample_paths(explanation.stem).annotation.is_file():
            yield error(path, f"explains {explanation.stem!r}, which is no sample; delete that")
            continue
        try:
            annotation = read_annotation(folder, explanation.stem)
        except DatasetError:  # reported with the sample
            continue
        if not any(explanation.query in query.texts for query in annotation.asked):
            yield warning(
                path,
                f"explains {explanation.query[:80]!r}, which {explanation.stem!r} is not asked",
            )
