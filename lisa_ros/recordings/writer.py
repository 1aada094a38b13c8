"""Writing a lab dataset, sample by sample. Nothing is ever overwritten."""

from __future__ import annotations

from pathlib import Path

from lisa_ros.errors import CameraInfoError, DatasetError
from lisa_ros.geometry import camera_model
from lisa_ros.recordings.atomic_files import check_space, one_writer, place_files
from lisa_ros.recordings.camera_yaml import camera_info_yaml, read_camera_info
from lisa_ros.recordings.dataset_folder import (
    DATASET_FILE,
    SPLITS,
    About,
    DatasetFolder,
    SamplePaths,
    split_stem,
)
from lisa_ros.recordings.image_files import depth_png_bytes, jpeg_bytes
from lisa_ros.recordings.sample import LabSample
from lisa_ros.recordings.sample_meta import sample_meta_yaml

RESERVE_BYTES = 500_000_000


def create_dataset(path: Path, about: About) -> DatasetFolder:
    """Make the folder of a new lab dataset.

    Raises:
        DatasetError: there is a dataset already, or the folder cannot be written.

    """
    file = path / DATASET_FILE
    if file.exists():
        raise DatasetError(f"{path} is a lab dataset already. Open it, or choose another folder.")
    for name in ("samples", "splits"):
        _make_folder(path / name)
    place_files([(file, about.to_yaml())])
    return DatasetFolder(path, about)


def write_sample(
    folder: DatasetFolder,
    stem: str,
    sample: LabSample,
    *,
    split: str | None = None,
    reserve_bytes: int = RESERVE_BYTES,
) -> SamplePaths:
    """Add a sample "<bag>/<frame>", whole or not at all, and put its name into a split's list.

    The annotation is placed last: without it, readers do not take files for a sample. A kill after
    that leaves a whole sample that is in no split yet. depth_m is stored in steps of the sample's
    `depth_unit_m`, else the dataset's. reserve_bytes: what must stay free on the disk.

    Raises:
        DatasetError: a bad or used name, contradictory sizes, depth without calibration, a bag of
            another camera or of another split, or a full disk. Nothing is written then.

    """
    paths = folder.sample_paths(stem)
    contents = _encode(folder, paths, sample)
    with one_writer(folder.path):
        _check_free(folder, stem, paths)
        splits = [] if split is None else [_split_list(folder, split, stem)]
        contents = _without_known_calibration(paths, contents)
        size = sum(len(content) for _, content in (*contents, *splits))
        check_space(folder.path, size, reserve_bytes)
        _make_folder(paths.image.parent)
        place_files(contents)
        place_files(splits)
    return paths


def _encode(
    folder: DatasetFolder, paths: SamplePaths, sample: LabSample
) -> list[tuple[Path, bytes]]:
    """The files of a sample in the order of their placing."""
    _check_sizes(paths, sample)
    contents = []
    if sample.camera_info is not None:
        contents.append((paths.camera_info, _calibration(folder, paths, sample)))
    if sample.depth_m is not None:
        unit_m = sample.meta.depth_unit_m or folder.about.depth_unit_m
        contents.append((paths.depth, depth_png_bytes(sample.depth_m, unit_m)))
    if not sample.meta.says_nothing:
        contents.append((paths.meta, sample_meta_yaml(sample.meta)))
    contents.append((paths.image, jpeg_bytes(sample.image)))
    contents.append((paths.annotation, sample.annotation.to_json()))
    return contents


def _check_sizes(paths: SamplePaths, sample: LabSample) -> None:
    image, annotation, depth = sample.image, sample.annotation, sample.depth_m
    size = (annotation.height, annotation.width)
    if image.dtype != "uint8" or image.shape != (*size, 3):
        raise DatasetError(
            f"got an image {image.dtype}{list(image.shape)} for {paths.image}, expected "
            f"uint8{[*size, 3]} as the annotation says"
        )
    if annotation.image_name != paths.image.name:
        raise DatasetError(
            f"got an annotation of {annotation.image_name!r} for {paths.image}; expected "
            f"{paths.image.name!r} as its image_name"
        )
    if depth is not None and (depth.shape != size or depth.dtype.kind != "f"):
        raise DatasetError(
            f"got depth {depth.dtype}{list(depth.shape)} for {paths.depth}, expected float metres "
            f"{list(size)}, registered to colour"
        )
    if depth is not None and sample.camera_info is None:
        raise DatasetError(f"{paths.depth} needs the camera's calibration; give camera_info.")


def _calibration(folder: DatasetFolder, paths: SamplePaths, sample: LabSample) -> bytes:
    info = sample.camera_info
    assert info is not None
    height, width = sample.image.shape[:2]
    try:
        camera_model(info, rectified=folder.about.rectified, image_size=(height, width))
        return camera_info_yaml(info)
    except CameraInfoError as error:
        raise DatasetError(f"{paths.camera_info}: {error}") from error


def _check_free(folder: DatasetFolder, stem: str, paths: SamplePaths) -> None:
    if paths.annotation.exists():
        raise DatasetError(f"Sample {stem!r} exists in {folder.path}; choose another name.")
    # What a killed writer left may be replaced; a picture that waits for its annotation may not.
    if paths.image.exists():
        raise DatasetError(
            f"{paths.image} exists without an annotation. Annotate it, or delete it if it was left "
            "by a writer that was interrupted."
        )


def _without_known_calibration(
    paths: SamplePaths, contents: list[tuple[Path, bytes]]
) -> list[tuple[Path, bytes]]:
    """Leave the bag's calibration out if it is there; it must be the same one."""
    if not paths.camera_info.exists():
        return contents
    for path, content in contents:
        if path == paths.camera_info and camera_info_yaml(read_camera_info(path)) != content:
            raise DatasetError(
                f"{path} is of another camera or another size. Use another bag for this camera."
            )
    return [(path, content) for path, content in contents if path != paths.camera_info]


def _split_list(folder: DatasetFolder, split: str, stem: str) -> tuple[Path, bytes]:
    """The list of a split with one more sample; a bag belongs to one split as a whole."""
    bag, _ = split_stem(stem)
    for other in SPLITS:
        if other != split and any(split_stem(s)[0] == bag for s in folder.split_stems(other)):
            raise DatasetError(
                f"Bag {bag!r} is in the split {other!r}; its samples cannot be in {split!r} as "
                "well: frames of one recording are too alike."
            )
    stems = [*folder.split_stems(split), stem]
    return folder.split_path(split), "".join(f"{name}\n" for name in stems).encode()


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(
            f"Cannot make the folder {path}: {error.strerror}. Choose another place."
        ) from error
