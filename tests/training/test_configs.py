"""Every blessed run, for two steps on a tiny model and a tree of fabricated datasets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lab_recordings import write_lab_dataset
from llava_parts import write_llava_parts
from random_lisa import write_random_lisa
from run_setup import ROOT

from lisa_ros.errors import CheckpointMismatchError, DatasetError
from lisa_ros.model.checkpoint import load_checkpoint
from training.config import load_config
from training.data.registry import open_dataset
from training.data.set_aside import VAL_SHARE, is_set_aside
from training.dry_run import dry_run
from training.feature_cache import predicted_size
from training.frozen_towers import encoding_of
from training.ranks import ALONE
from training.run_config import RunConfig

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
RUNS = sorted(path for path in CONFIGS.glob("*.yaml") if "lisa-tiny" not in path.name)
FIXTURES = Path(__file__).parent / "data" / "fixtures"
TREE = {
    "semantic": ("ade20k", "cocostuff", "mapillary", "vlpart"),
    "refer": ("refer_seg",),
    "reason_seg": ("fabricated",),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the configurations name: weights, dataset, lab."""
    dataset, weights = tmp_path / "dataset", tmp_path / "weights"
    dataset.mkdir()
    weights.mkdir()
    for fixture, names in TREE.items():
        for name in names:
            link = dataset / ("reason_seg" if name == "fabricated" else name)
            link.symlink_to(FIXTURES / fixture / name)
    (dataset / "coco" / "train2017").mkdir(parents=True)
    for fixture in ("semantic", "llava"):
        for image in (FIXTURES / fixture / "coco" / "train2017").iterdir():
            link = dataset / "coco" / "train2017" / image.name
            if not link.exists():
                link.symlink_to(image)
    _add_conversation_set_aside(dataset)
    llava, sam = write_llava_parts(weights)
    for name in ("LLaVA-Lightning-7B-v1-1", "llava-llama-2-13b-chat-lightning-preview"):
        (weights / name).symlink_to(llava)
    (weights / "sam_vit_h_4b8939.pth").symlink_to(sam)
    write_random_lisa(weights / "LISA-7B-v1")
    write_lab_dataset(tmp_path / "lab")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _add_conversation_set_aside(dataset: Path) -> None:
    """The fixture's conversations, and the first once more about an image of the split "val"."""
    path = Path("llava_dataset", "llava_instruct_150k.json")
    items = json.loads((FIXTURES / "llava" / path).read_text(encoding="utf-8"))
    names = (f"{number:012}" for number in range(1000))
    name = next(name for name in names if is_set_aside(name, VAL_SHARE))
    images = dataset / "coco" / "train2017"
    (images / f"{name}.jpg").symlink_to(images / items[0]["image"])
    items.append({**items[0], "image": f"{name}.jpg"})
    (dataset / path).parent.mkdir()
    (dataset / path).write_text(json.dumps(items), encoding="utf-8")


def small(path: Path) -> list[str]:
    """Overrides that make a dry run of any preset short, and keep it off the network."""
    settings = ["images_per_step=8", "workers=0", "tensorboard=false"]
    llava = load_config(RunConfig, path).start.llava
    return [*settings, "start.vision_tower=null"] if llava else settings


def dry(path: Path, *overrides: str) -> RunConfig:
    config = load_config(RunConfig, path, [*small(path), *overrides])
    dry_run(config, ALONE)
    return config


@pytest.mark.slow
@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_it_runs(path: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(place.rglob("*"))
    dry(path, "deepspeed=null")
    assert "Dry run passed" in capsys.readouterr().out
    assert sorted(place.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lab-12gb", "lab-24gb"])
def test_it_runs_under_its_own_deepspeed_settings(name: str, place: Path) -> None:
    """In a process of its own: DeepSpeed leaves its process groups behind."""
    path = CONFIGS / f"{name}.yaml"
    assert load_config(RunConfig, path).deepspeed is not None
    command = [sys.executable, "-m", "training.train", str(path), "dry_run=true", *small(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Dry run passed" in done.stdout


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_its_recipe_is_the_papers(path: Path) -> None:
    config = load_config(RunConfig, path)
    assert config.lora is not None
    assert (config.lora.rank, config.lora.alpha, config.lora.dropout) == (8, 16, 0.05)
    assert (config.loss.ce, config.loss.bce, config.loss.dice) == (1.0, 2.0, 0.5)
    assert config.mask_grid == "image"
    assert config.optimisation.betas == (0.9, 0.95)
    assert config.optimisation.clip_norm == 1.0
    if config.start.llava:
        assert {group.name: group.weight for group in config.data} == {
            "sem_seg": 9,
            "refer_seg": 3,
            "vqa": 3,
            "reason_seg": 1,
        }
        assert (config.steps, config.images_per_step) == (5000, 160)
        assert (config.optimisation.learning_rate, config.optimisation.warmup_steps) == (3e-4, 100)


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_no_run_watches_conversations_that_it_learns(path: Path) -> None:
    config = load_config(RunConfig, path)
    learned = [source for group in config.data for source in group.datasets]
    for watched in config.watched:
        same = [s for s in learned if (s.kind, s.folder) == (watched.kind, watched.folder)]
        assert all(source.split in (None, "train") for source in same)
        assert not same or watched.split == "val"


@pytest.mark.slow
def test_a_dry_run_tells_the_size_of_the_real_runs_features(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dry(CONFIGS / "lab.yaml", "deepspeed=null")
    told = [x for x in capsys.readouterr().out.splitlines() if x.startswith("SAM and CLIP")]
    real = load_checkpoint("weights/LISA-7B-v1")
    encoding = encoding_of(real.model, real.clip_processor, "center", torch.bfloat16)
    assert told == [predicted_size(encoding, len(open_dataset("lab", place / "lab", "train")))]


@pytest.mark.slow
def test_a_dry_run_finds_what_is_missing(place: Path) -> None:
    path = CONFIGS / "lisa-7b-ft-239.yaml"
    (place / "dataset" / "reason_seg").unlink()
    with pytest.raises(DatasetError, match="reason_seg"):
        dry(path, "deepspeed=null")


def test_a_dry_run_finds_weights_that_do_not_fit(place: Path) -> None:
    sam = place / "weights" / "sam_vit_h_4b8939.pth"
    state = torch.load(sam, weights_only=True)
    state.pop("mask_decoder.iou_token.weight")
    sam.unlink()
    torch.save(state, sam)
    with pytest.raises(CheckpointMismatchError, match="iou_token"):
        dry(CONFIGS / "lisa-7b.yaml", "deepspeed=null")
