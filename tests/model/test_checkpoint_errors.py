"""A checkpoint that is wrong is refused with the name of the key or file that is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from checkpoint_folders import WEIGHTS, change_weights, split_into_bins
from random_lisa import GOLDEN

from lisa_ros.errors import (
    CheckpointCorruptError,
    CheckpointMismatchError,
    CheckpointNotFoundError,
    ConfigurationError,
    DeviceError,
    TokenizerError,
)
from lisa_ros.model import checkpoint, locations
from lisa_ros.model.checkpoint import load_checkpoint

SAM = "model.visual_model."


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.layers.1.mlp.up_proj.weight", None),
        ("model.mm_projector.bias", None),
        ("model.text_hidden_fcs.0.2.weight", None),
        ("lm_head.weight", None),
        ("model.embed_tokens.weight", None),
        (SAM + "mask_decoder.iou_token.weight", None),
        (SAM + "image_encoder.pos_embed", None),
        ("model.layers.2.mlp.up_proj.weight", torch.zeros(48, 32)),
        (SAM + "pixel_mean", torch.zeros(3, 1, 1)),
        ("model.vision_tower.x", torch.zeros(1)),
        ("model.layers.1.mlp.up_proj.weight", torch.zeros(48, 31)),
        ("model.mm_projector.weight", torch.zeros(32, 25)),
        (SAM + "image_encoder.blocks.0.mlp.lin2.weight", torch.zeros(24, 41)),
        (SAM + "prompt_encoder.point_embeddings.0.weight", torch.zeros(1, 31)),
        (SAM + "image_encoder.blocks.1.attn.rel_pos_h", torch.zeros(13, 12)),
        (SAM + "image_encoder.blocks.0.attn.rel_pos_h", torch.zeros(13, 0)),
        (SAM + "image_encoder.patch_embed.proj.weight", torch.zeros(24, 3, 0, 0)),
        ("model.embed_tokens.weight", torch.tensor(1.0)),
    ],
)
def test_a_key_that_does_not_fit_is_named(
    tiny_checkpoint: Path, key: str, value: torch.Tensor | None
) -> None:
    change_weights(tiny_checkpoint, **{key: value})
    with pytest.raises(CheckpointMismatchError) as error:
        load_checkpoint(tiny_checkpoint)
    assert key.removeprefix(SAM) in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        WEIGHTS,
        "tokenizer.model",
        "clip-vit-tiny/config.json",
        "clip-vit-tiny/preprocessor_config.json",
        "clip-vit-tiny/model.safetensors",
    ],
)
def test_a_missing_file_is_named(tiny_checkpoint: Path, name: str) -> None:
    (tiny_checkpoint / name).unlink()
    with pytest.raises(CheckpointNotFoundError, match=Path(name).parts[0]):
        load_checkpoint(tiny_checkpoint)


def test_a_missing_shard_is_named(tiny_checkpoint: Path) -> None:
    split_into_bins(tiny_checkpoint, 3)
    (tiny_checkpoint / "pytorch_model-00002-of-00003.bin").unlink()
    with pytest.raises(CheckpointNotFoundError, match=r"00002-of-00003\.bin"):
        load_checkpoint(tiny_checkpoint)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.98])
@pytest.mark.parametrize("name", ["pytorch_model-00002-of-00003.bin", WEIGHTS])
def test_a_truncated_file_is_named(tiny_checkpoint: Path, name: str, share: float) -> None:
    if name != WEIGHTS:
        split_into_bins(tiny_checkpoint, 3)
    content = (tiny_checkpoint / name).read_bytes()
    (tiny_checkpoint / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointCorruptError, match=name):
        load_checkpoint(tiny_checkpoint)


GARBAGE = {
    "git lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 10\n",
    "html": b"<!doctype html><html>Not Found</html>",
    "pickle of a list": b"\x80\x02]q\x00(K\x01K\x02e.",
    "zip without tensors": b"PK\x05\x06" + bytes(18),
    "noise": bytes(range(256)) * 8,
}


@pytest.mark.parametrize("content", GARBAGE)
@pytest.mark.parametrize(
    "name",
    [
        "pytorch_model-00001-of-00002.bin",
        WEIGHTS,
        "config.json",
        "lisa.json",
        "pytorch_model.bin.index.json",
        "tokenizer.model",
        "clip-vit-tiny/config.json",
        "clip-vit-tiny/model.safetensors",
    ],
)
def test_a_file_of_garbage_is_named(tiny_checkpoint: Path, name: str, content: str) -> None:
    if "pytorch_model" in name:
        split_into_bins(tiny_checkpoint, 2)
    (tiny_checkpoint / name).write_bytes(GARBAGE[content])
    with pytest.raises(CheckpointCorruptError, match=Path(name).name):
        load_checkpoint(tiny_checkpoint)


class Malicious:
    """Unpickling this would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_code_in_a_file_is_not_run(tiny_checkpoint: Path, tmp_path: Path) -> None:
    split_into_bins(tiny_checkpoint, 1)
    (bin_file,) = tiny_checkpoint.glob("*.bin")
    torch.save({"lm_head.weight": Malicious(tmp_path / "ran")}, bin_file)
    with pytest.raises(CheckpointCorruptError, match=bin_file.name):
        load_checkpoint(tiny_checkpoint)
    assert not (tmp_path / "ran").exists()


def test_a_key_in_two_shards_is_named(tiny_checkpoint: Path) -> None:
    split_into_bins(tiny_checkpoint, 2)
    first, second = sorted(tiny_checkpoint.glob("*.bin"))
    torch.save({**torch.load(second), "lm_head.weight": torch.zeros(707, 32)}, second)
    if "lm_head.weight" not in torch.load(first):
        torch.save({**torch.load(first), "lm_head.weight": torch.zeros(707, 32)}, first)
    with pytest.raises(CheckpointMismatchError, match=r"lm_head\.weight"):
        load_checkpoint(tiny_checkpoint)


def test_an_index_cannot_lead_outside(tiny_checkpoint: Path) -> None:
    split_into_bins(tiny_checkpoint, 1)
    index = {"weight_map": {"lm_head.weight": "../elsewhere.bin"}}
    (tiny_checkpoint / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointCorruptError, match="elsewhere"):
        load_checkpoint(tiny_checkpoint)


def test_the_wrong_tokenizer_is_refused(tiny_checkpoint: Path) -> None:
    """b's tokenizer has one token more than a's."""
    shutil.copyfile(GOLDEN / "ckpt_b" / "added_tokens.json", tiny_checkpoint / "added_tokens.json")
    with pytest.raises(TokenizerError, match=r"708 ids.*707 rows"):
        load_checkpoint(tiny_checkpoint)


def test_seg_must_be_one_id(tiny_checkpoint: Path) -> None:
    path = tiny_checkpoint / "added_tokens.json"
    added = json.loads(path.read_text())
    added["[OTHER]"] = added.pop("[SEG]")
    path.write_text(json.dumps(added))
    with pytest.raises(TokenizerError, match=r"\[SEG\]"):
        load_checkpoint(tiny_checkpoint)


def test_special_ids_must_agree(tiny_checkpoint: Path) -> None:
    path = tiny_checkpoint / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": 5}))
    with pytest.raises(TokenizerError, match="eos_token_id is 5"):
        load_checkpoint(tiny_checkpoint)


def test_config_and_weights_must_agree(tiny_checkpoint: Path) -> None:
    path = tiny_checkpoint / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "vocab_size": 710}))
    with pytest.raises(CheckpointMismatchError, match=r"lm_head\.weight is \[707, 32\]"):
        load_checkpoint(tiny_checkpoint)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("config.json", "rope_scaling", {"type": "longer", "factor": 2.0}),
        ("config.json", "rope_scaling", {"type": "linear"}),
        ("config.json", "hidden_act", "swish-swish"),
        ("config.json", "pad_token_id", 10**6),
        ("config.json", "rope_theta", 10**30),
        ("clip-vit-tiny/config.json", "hidden_act", "swish-swish"),
        ("clip-vit-tiny/config.json", "num_hidden_layers", 10**9),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(
    tiny_checkpoint: Path, name: str, field: str, value: object
) -> None:
    path = tiny_checkpoint / name
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(CheckpointMismatchError, match=r"config\.json"):
        load_checkpoint(tiny_checkpoint)


def test_json_that_is_nested_without_end_is_named(tiny_checkpoint: Path) -> None:
    (tiny_checkpoint / "config.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointCorruptError, match=r"config\.json"):
        load_checkpoint(tiny_checkpoint)


def test_a_tokenizer_that_cannot_be_read_is_named(tiny_checkpoint: Path) -> None:
    (tiny_checkpoint / "tokenizer.model").unlink()
    (tiny_checkpoint / "tokenizer.model").mkdir()
    with pytest.raises(CheckpointCorruptError, match=r"tokenizer\.model"):
        load_checkpoint(tiny_checkpoint)


def test_without_reading_weights_the_vision_tower_is_checked_too(tiny_checkpoint: Path) -> None:
    tower = tiny_checkpoint / "clip-vit-tiny" / "model.safetensors"
    load_checkpoint(tiny_checkpoint, "meta")
    shutil.copyfile(tiny_checkpoint / WEIGHTS, tower)
    with pytest.raises(CheckpointMismatchError, match=r"clip-vit-tiny.*missing"):
        load_checkpoint(tiny_checkpoint, "meta")


def test_settings_are_optional_but_not_wrong(tiny_checkpoint: Path) -> None:
    (tiny_checkpoint / "lisa.json").unlink()
    assert load_checkpoint(tiny_checkpoint).settings.found_threshold is None
    (tiny_checkpoint / "lisa.json").write_text('{"found_threshold": 3}')
    with pytest.raises(ConfigurationError, match="found_threshold"):
        load_checkpoint(tiny_checkpoint)


def test_the_vision_tower_may_be_elsewhere(tiny_checkpoint: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "a clip"
    (tiny_checkpoint / "clip-vit-tiny").rename(elsewhere)
    with pytest.raises(CheckpointNotFoundError, match="clip-vit-tiny"):
        load_checkpoint(tiny_checkpoint)
    path = tiny_checkpoint / "config.json"
    config = {**json.loads(path.read_text()), "vision_tower": str(elsewhere)}
    path.write_text(json.dumps(config))
    load_checkpoint(tiny_checkpoint)


@pytest.mark.parametrize("name", ["no-such-folder", "/no/such/folder", "a/b/c", ""])
def test_an_unknown_checkpoint_is_named(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointNotFoundError, match=r"config\.json|no checkpoint|lisa-tiny"):
        load_checkpoint(name)


def test_a_file_is_no_checkpoint(tiny_checkpoint: Path) -> None:
    with pytest.raises(CheckpointNotFoundError, match="is a file"):
        load_checkpoint(tiny_checkpoint / WEIGHTS)


def test_an_alias_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(locations.ALIASES, "lisa-tiny", tmp_path / "missing")
    with pytest.raises(CheckpointNotFoundError, match="lisa-tiny is not part"):
        load_checkpoint("lisa-tiny")


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(locations, "snapshot_download", unreachable)
    with pytest.raises(CheckpointNotFoundError, match=r"somebody/lisa.*no route to host"):
        load_checkpoint("somebody/lisa")


@pytest.mark.parametrize("device", ["cuda:7", "no-such-device"])
def test_a_missing_device_is_named(tiny_checkpoint: Path, device: str) -> None:
    with pytest.raises(DeviceError, match=device):
        load_checkpoint(tiny_checkpoint, device=device)


def test_weights_that_do_not_fit_are_said(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    monkeypatch.setattr(checkpoint, "load_into", full)
    with pytest.raises(DeviceError, match=r"does not fit.*cpu.*float32.*Tried to allocate 2 GiB"):
        load_checkpoint(tiny_checkpoint)
