"""Base + delta = LLaVA."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from lisa_ros.errors import CheckpointMismatchError, ConfigurationError
from lisa_ros.model.weight_files import find_weight_files, read_shapes, read_tensors
from training.convert import main, merge_llava_delta

ROWS, NEW_ROWS, WIDTH = 10, 3, 4


def random_weights(rows: int, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "model.embed_tokens.weight": (rows, WIDTH),
        "model.layers.0.self_attn.q_proj.weight": (WIDTH, WIDTH),
        "model.norm.weight": (WIDTH,),
        "lm_head.weight": (rows, WIDTH),
    }
    return {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}


def write(folder: Path, weights: dict[str, Tensor]) -> Path:
    folder.mkdir()
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "config.json").write_text(f'{{"from": "{folder.name}"}}')
    return folder


def rotary() -> dict[str, Tensor]:
    """A constant that transformers of the time of the deltas wrote, and later ones do not."""
    return {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(2)}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write(tmp_path / "base", {**random_weights(ROWS, 0), **rotary()})


@pytest.mark.parametrize("converted_today", [False, True])
@pytest.mark.parametrize("delta_has_it", [False, True])
def test_llava_is_base_plus_delta(
    tmp_path: Path, converted_today: bool, delta_has_it: bool
) -> None:
    constant = {} if converted_today else rotary()
    base = write(tmp_path / "base", {**random_weights(ROWS, 0), **constant})
    llava = random_weights(ROWS + NEW_ROWS, 1)
    llava["model.mm_projector.weight"] = torch.randn(WIDTH, 2)
    plain = random_weights(ROWS, 0)
    difference = {key: tensor.clone() for key, tensor in llava.items()}
    for key, tensor in plain.items():
        difference[key][: len(tensor)] -= tensor
    delta = write(tmp_path / "delta", {**difference, **(rotary() if delta_has_it else {})})
    merge_llava_delta(base, delta, tmp_path / "out", torch.float32)
    files = find_weight_files(tmp_path / "out")
    merged = dict(read_tensors(files, read_shapes(files)))
    assert set(merged) == set(llava)
    for key, tensor in llava.items():
        torch.testing.assert_close(merged[key], tensor, atol=1e-6, rtol=1e-6)
    assert "delta" in (tmp_path / "out" / "config.json").read_text()


@pytest.mark.parametrize(
    ("key", "tensor"),
    [
        ("model.norm.weight", torch.zeros(WIDTH + 1)),
        ("model.surprise.weight", torch.zeros(1)),
        ("lm_head.weight", torch.zeros(ROWS - 1, WIDTH)),
    ],
)
def test_what_is_no_delta_of_the_base_is_refused(
    base: Path, tmp_path: Path, key: str, tensor: Tensor
) -> None:
    delta = write(tmp_path / "delta", {**random_weights(ROWS, 1), key: tensor})
    with pytest.raises(CheckpointMismatchError, match=key):
        merge_llava_delta(base, delta, tmp_path / "out", torch.float32)
    assert [path.name for path in tmp_path.iterdir()] != ["out"]
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(base: Path, tmp_path: Path) -> None:
    delta = write(tmp_path / "delta", random_weights(ROWS, 1))
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigurationError, match="exists"):
        merge_llava_delta(base, delta, tmp_path / "out", torch.float32)


def test_weights_that_are_not_there_are_said(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["llava-delta", str(base), str(tmp_path / "nowhere"), str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.startswith("error: ")
