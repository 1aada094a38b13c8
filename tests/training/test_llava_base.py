"""A LISA made of a LLaVA directory and a SAM file, both cut out of a random LISA."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from llava_parts import N_PIECES, write_llava_parts
from random_lisa import random_lisa

from lisa_ros.errors import CheckpointMismatchError
from lisa_ros.model.checkpoint import LoadedLisa, load_checkpoint, save_checkpoint
from lisa_ros.model.settings import LisaSettings
from training.llava_base import grown_tokenizer, lisa_from_llava


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, LoadedLisa]:
    """A LLaVA folder, a SAM file, and the LISA that they were taken from."""
    return (*write_llava_parts(tmp_path_factory.mktemp("parts")), random_lisa(3))


def test_it_is_its_parts_and_the_new_tokens(
    parts: tuple[Path, Path, LoadedLisa], tmp_path: Path
) -> None:
    llava, sam, whole = parts
    joined = lisa_from_llava(llava, sam, tmp_path / "work", LisaSettings(), seed=5)
    expected, found = whole.model.state_dict(), joined.model.state_dict()
    assert set(found) == set(expected)
    for key, tensor in expected.items():
        if "text_hidden_fcs" in key:
            assert found[key].shape == tensor.shape
        elif key in ("model.embed_tokens.weight", "lm_head.weight"):
            assert torch.equal(found[key][:N_PIECES], tensor[:N_PIECES])
            assert found[key][N_PIECES:].std() > 0
        else:
            assert torch.equal(found[key], tensor), key
    tokenizer = joined.tokenizer
    assert (tokenizer.seg_id, len(tokenizer)) == (N_PIECES, N_PIECES + 3)
    assert joined.config.mm_use_im_start_end


def test_it_can_be_saved_and_loaded_as_a_released_one(
    parts: tuple[Path, Path, LoadedLisa], tmp_path: Path
) -> None:
    llava, sam, _ = parts
    joined = lisa_from_llava(llava, sam, tmp_path / "work", LisaSettings())
    save_checkpoint(
        tmp_path / "lisa",
        joined.model,
        tokenizer_folder=joined.path,
        clip_processor=joined.clip_processor,
        settings=joined.settings,
        dtype=torch.float32,
    )
    back = load_checkpoint(tmp_path / "lisa")
    for key, tensor in joined.model.state_dict().items():
        assert torch.equal(back.model.state_dict()[key], tensor), key


def test_the_random_part_depends_on_the_seed_alone(
    parts: tuple[Path, Path, LoadedLisa], tmp_path: Path
) -> None:
    llava, sam, _ = parts
    rows = [
        lisa_from_llava(llava, sam, tmp_path / "w", LisaSettings(), seed=s).model.lm_head.weight
        for s in (1, 1, 2)
    ]
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])


def test_nothing_stays_of_a_llava_that_was_tried_before(
    parts: tuple[Path, Path, LoadedLisa], tmp_path: Path
) -> None:
    llava, _, _ = parts
    other = tmp_path / "llava"
    shutil.copytree(llava, other)
    (other / "added_tokens.json").write_text(f'{{"<other>": {N_PIECES}}}')
    work = tmp_path / "work"
    assert grown_tokenizer(other, work).seg_id == N_PIECES + 1
    for _ in range(2):
        assert grown_tokenizer(llava, work).seg_id == N_PIECES


def test_a_sam_that_lacks_a_key_is_refused_by_name(
    parts: tuple[Path, Path, LoadedLisa], tmp_path: Path
) -> None:
    llava, sam, _ = parts
    state = torch.load(sam, weights_only=True)
    del state["mask_decoder.iou_token.weight"]
    torch.save(state, tmp_path / "sam.pth")
    with pytest.raises(CheckpointMismatchError, match="iou_token"):
        lisa_from_llava(llava, tmp_path / "sam.pth", tmp_path / "work", LisaSettings())


def test_a_tokenizer_of_other_weights_is_refused(
    parts: tuple[Path, Path, LoadedLisa], tmp_path: Path
) -> None:
    llava, sam, _ = parts
    other = tmp_path / "llava"
    shutil.copytree(llava, other)
    state = torch.load(other / "pytorch_model.bin", weights_only=True)
    state["lm_head.weight"] = torch.zeros(N_PIECES + 9, state["lm_head.weight"].shape[1])
    torch.save(state, other / "pytorch_model.bin")
    with pytest.raises(CheckpointMismatchError, match="lm_head"):
        lisa_from_llava(other, sam, tmp_path / "work", LisaSettings())
