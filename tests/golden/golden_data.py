"""Finding the checkpoints, images and cases that a directory of golden data holds."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lisa_ros.model.checkpoint import LoadedLisa, load_checkpoint

REPOSITORY_COPY = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Golden:
    """One file of golden arrays, with what is needed to compute them anew."""

    name: str
    checkpoint: Path
    image: Path
    file: str
    meta: dict[str, Any]


@dataclass(frozen=True)
class GoldenSet:
    """A directory of golden data. `specs` are the arrays that MANIFEST.json names, by file."""

    root: Path
    specs: dict[str, list[dict[str, Any]]]
    file_sizes: dict[str, int]
    groups: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, root: Path) -> GoldenSet:
        manifest = _json(root / "MANIFEST.json")
        specs: dict[str, list[dict[str, Any]]] = {}
        for spec in manifest["arrays"]:
            specs.setdefault(spec["file"], []).append(spec)
        sizes = {entry["path"]: entry["bytes"] for entry in manifest["files"]}
        groups = {p.parent.name: _json(p) for p in sorted((root / "g1").glob("*/cases.json"))}
        return cls(root, specs, sizes, groups)

    @property
    def checkpoints(self) -> list[Path]:
        return sorted(p for p in self.root.glob("ckpt_*") if p.is_dir())

    @property
    def cases(self) -> list[Golden]:
        """Every case that has arrays on the disk or in the manifest."""
        return [
            Golden(
                name=f"{group}-{name}",
                checkpoint=self.root / meta["checkpoint"],
                image=self.root / meta["image"],
                file=f"g1/{group}/case_{name}.npz",
                meta=meta,
            )
            for group, listed in self.groups.items()
            for name, meta in listed["cases"].items()
            if self._has(f"g1/{group}/case_{name}.npz")
        ]

    @property
    def images(self) -> list[Golden]:
        """Every image that has arrays on the disk or in the manifest."""
        return [
            Golden(
                name=f"{group}-{name}",
                checkpoint=self.root / self._checkpoint_of(group),
                image=self.root / meta["image"],
                file=f"g1/{group}/image_{name}.npz",
                meta=meta,
            )
            for group, listed in self.groups.items()
            for name, meta in listed["images"].items()
            if self._has(f"g1/{group}/image_{name}.npz")
        ]

    @property
    def listed_elsewhere(self) -> list[str]:
        """Cases that a cases.json lists, without arrays here or in the manifest: another copy's."""
        return [
            f"{group}-{name}"
            for group, listed in self.groups.items()
            for name in listed["cases"]
            if not self._has(f"g1/{group}/case_{name}.npz")
        ]

    def arrays(self, golden: Golden) -> dict[str, np.ndarray]:
        """Return the arrays of a file; an array that the manifest names must be among them."""
        with np.load(self.root / golden.file) as arrays:
            values = {name: arrays[name] for name in arrays.files}
        missing = {spec["name"] for spec in self.specs.get(golden.file, [])} - set(values)
        assert not missing, f"{golden.file} lacks {sorted(missing)}, which MANIFEST.json names"
        return values

    def _has(self, file: str) -> bool:
        return file in self.specs or (self.root / file).exists()

    def _checkpoint_of(self, group: str) -> str:
        """Return the one checkpoint that the cases of a group run on."""
        names = {meta["checkpoint"] for meta in self.groups[group]["cases"].values()}
        assert len(names) == 1, f"g1/{group}/cases.json mixes checkpoints: {sorted(names)}"
        return names.pop()


@functools.lru_cache
def loaded(checkpoint: Path) -> LoadedLisa:
    return load_checkpoint(checkpoint)


def read_image(path: Path) -> np.ndarray:
    """Return u8[H,W,3] RGB."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
