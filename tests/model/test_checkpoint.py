"""A LISA directory loads as it is and exactly, or is refused with the name of what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_lisa import GOLDEN, build_tiny, save_tiny

from lisa_ros.errors import (
    CheckpointCorruptError,
    CheckpointMismatchError,
    CheckpointNotFoundError,
    ConfigurationError,
    DeviceError,
    TokenizerError,
)
from lisa_ros.model import checkpoint as checkpoint_module
from lisa_ros.model import locations
from lisa_ros.model.checkpoint import load_checkpoint
from lisa_ros.model.lisa import LisaForCausalLM

WEIGHTS = "model.safetensors"
SAM = "model.visual_model."


def weights_of(model: LisaForCausalLM) -> dict[str, torch.Tensor]:
    tower = {f"tower.{k}": t for k, t in model.vision_tower.clip.state_dict().items()}
    return {**model.state_dict(), **tower}


def assert_equal_weights(got: LisaForCausalLM, expected: dict[str, torch.Tensor]) -> None:
    found = weights_of(got)
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        assert found[key].dtype == tensor.dtype, key
        assert torch.equal(found[key], tensor), key


def change_weights(folder: Path, **changes: torch.Tensor | None) -> None:
    """Replace, add or (None) remove tensors of the one safetensors file."""
    weights = {**load_file(folder / WEIGHTS), **changes}
    save_file({k: t for k, t in weights.items() if t is not None}, folder / WEIGHTS)


def split_into_bins(folder: Path, n_shards: int) -> None:
    """Turn the safetensors file into `.bin` shards with an index, as releases have them."""
    weights = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    weight_map = {}
    for shard in range(n_shards):
        name = f"pytorch_model-{shard + 1:05}-of-{n_shards:05}.bin"
        keys = sorted(weights)[shard::n_shards]
        torch.save({key: weights[key] for key in keys}, folder / name)
        weight_map |= dict.fromkeys(keys, name)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_round_trip_is_exact(tmp_path: Path, tiny_model: LisaForCausalLM, dtype) -> None:
    settings = save_tiny(tmp_path / "saved", tiny_model, dtype)
    loaded = load_checkpoint(tmp_path / "saved", dtype=dtype)
    assert_equal_weights(loaded.model, {k: t.to(dtype) for k, t in weights_of(tiny_model).items()})
    assert loaded.config == tiny_model.config
    assert loaded.settings == settings
    assert loaded.model.sam.config == tiny_model.sam.config
    assert loaded.model.vision_tower.config == tiny_model.vision_tower.config
    assert not loaded.model.training
    assert len(loaded.tokenizer) == loaded.config.vocab_size
    saved = sorted(p.name for p in (tmp_path / "saved").iterdir())
    assert saved == [
        "added_tokens.json",
        "clip-vit-tiny",
        "config.json",
        "lisa.json",
        WEIGHTS,
        "special_tokens_map.json",
        "tokenizer.model",
        "tokenizer_config.json",
    ]
    stored = load_file(tmp_path / "saved" / WEIGHTS)
    assert {t.dtype for t in stored.values()} == {dtype}
    assert [p.name for p in tmp_path.iterdir()] == ["saved"]


def test_loaded_model_computes_what_the_saved_one_did(
    tiny_checkpoint: Path, tiny_model: LisaForCausalLM
) -> None:
    """Also what no file holds is there: rotary frequencies, CLIP's position ids."""
    loaded = load_checkpoint(tiny_checkpoint).model
    tensors = [*loaded.parameters(), *loaded.buffers()]
    assert not any(t.is_meta for t in tensors)
    ids = torch.tensor([[1, -200, 5, 6, 7]])
    pixels = torch.linspace(-1, 1, 3 * 28 * 28).reshape(1, 3, 28, 28)
    with torch.no_grad():
        results = [
            m.hidden_states(m.embed(ids, m.encode_clip(pixels)))[0] for m in (loaded, tiny_model)
        ]
    assert torch.equal(*results)


def test_a_release_survives_saving(tmp_path: Path) -> None:
    """What upstream wrote (shards of .bin, inv_freq, a whole CLIP) loads, saves and loads equal."""
    released = load_checkpoint(GOLDEN / "ckpt_b", dtype=torch.bfloat16)
    checkpoint_module.save_checkpoint(
        tmp_path / "saved",
        released.model,
        tokenizer_folder=released.path,
        clip_processor=released.clip_processor,
        settings=released.settings,
    )
    again = load_checkpoint(tmp_path / "saved", dtype=torch.bfloat16)
    assert_equal_weights(again.model, weights_of(released.model))
    assert again.config == released.config
    assert again.clip_processor == released.clip_processor
    assert again.tokenizer.encode("Sure, [SEG].") == released.tokenizer.encode("Sure, [SEG].")


@pytest.mark.parametrize("layout", ["one bin", "bin shards", "old bin", "safetensors shards"])
def test_every_layout_of_files(
    tiny_checkpoint: Path, tiny_model: LisaForCausalLM, layout: str
) -> None:
    weights = load_file(tiny_checkpoint / WEIGHTS)
    if layout == "bin shards":
        split_into_bins(tiny_checkpoint, 3)
    elif layout == "safetensors shards":
        (tiny_checkpoint / WEIGHTS).unlink()
        halves = {"one.safetensors": sorted(weights)[::2], "two.safetensors": sorted(weights)[1::2]}
        for name, keys in halves.items():
            save_file({k: weights[k] for k in keys}, tiny_checkpoint / name)
        index = {"weight_map": {k: name for name, keys in halves.items() for k in keys}}
        (tiny_checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))
    else:
        (tiny_checkpoint / WEIGHTS).unlink()
        zipped = layout == "one bin"
        path = tiny_checkpoint / "pytorch_model.bin"
        torch.save(weights, path, _use_new_zipfile_serialization=zipped)
    assert_equal_weights(load_checkpoint(tiny_checkpoint).model, weights_of(tiny_model))


def test_loaded_weights_do_not_depend_on_the_file(tiny_checkpoint: Path) -> None:
    """The file may be overwritten in place while the model is in use."""
    split_into_bins(tiny_checkpoint, 1)
    model = load_checkpoint(tiny_checkpoint).model
    before = {k: t.clone() for k, t in weights_of(model).items()}
    for path in tiny_checkpoint.glob("*.bin"):
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
    assert_equal_weights(model, before)


def test_inv_freq_is_the_one_extra_key(tiny_checkpoint: Path) -> None:
    extra = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}
    change_weights(tiny_checkpoint, **extra)
    load_checkpoint(tiny_checkpoint)
    change_weights(tiny_checkpoint, **{"model.layers.0.self_attn.inv_freq": torch.ones(4)})
    with pytest.raises(CheckpointMismatchError, match=r"unexpected .*self_attn\.inv_freq"):
        load_checkpoint(tiny_checkpoint)


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


def test_settings_are_optional_but_not_wrong(tiny_checkpoint: Path) -> None:
    (tiny_checkpoint / "lisa.json").unlink()
    assert load_checkpoint(tiny_checkpoint).settings.found_threshold is None
    (tiny_checkpoint / "lisa.json").write_text('{"found_threshold": 3}')
    with pytest.raises(ConfigurationError, match="found_threshold"):
        load_checkpoint(tiny_checkpoint)


def test_the_vision_tower_is_found_by_the_last_part_of_its_name(tiny_checkpoint: Path) -> None:
    """A checkpoint that names a hub id, or a path of another machine, can carry its tower along."""
    path = tiny_checkpoint / "config.json"
    for name in ("openai/clip-vit-tiny", "/elsewhere/clip-vit-tiny"):
        tower = {"vision_tower": name, "mm_vision_tower": name}
        path.write_text(json.dumps({**json.loads(path.read_text()), **tower}))
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


def test_a_hub_id_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path, tiny_model: LisaForCausalLM
) -> None:
    """Safetensors are asked for first; `.bin` files only when there are none."""
    split_into_bins(tiny_checkpoint, 2)
    asked = []

    def snapshot(hub_id: str, allow_patterns: list[str]) -> str:
        asked.append((hub_id, allow_patterns[-1]))
        return str(tiny_checkpoint)

    monkeypatch.setattr(locations, "snapshot_download", snapshot)
    loaded = load_checkpoint("somebody/lisa")
    assert asked == [("somebody/lisa", "*.safetensors"), ("somebody/lisa", "*.bin")]
    assert_equal_weights(loaded.model, weights_of(tiny_model))


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


def test_saving_replaces_the_old_checkpoint(tiny_checkpoint: Path) -> None:
    other = build_tiny(seed=9)
    (tiny_checkpoint / "left-over").write_text("of an older version")
    save_tiny(tiny_checkpoint, other)
    assert_equal_weights(load_checkpoint(tiny_checkpoint).model, weights_of(other))
    assert not (tiny_checkpoint / "left-over").exists()
    assert [p.name for p in tiny_checkpoint.parent.iterdir()] == [tiny_checkpoint.name]


def test_a_failed_save_leaves_the_old_checkpoint(
    tiny_checkpoint: Path, tiny_model: LisaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*args: object, **kwargs: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint_module, "save_file", full_disk)
    with pytest.raises(OSError, match="no space left"):
        save_tiny(tiny_checkpoint, build_tiny(seed=9))
    assert_equal_weights(load_checkpoint(tiny_checkpoint).model, weights_of(tiny_model))
    assert [p.name for p in tiny_checkpoint.parent.iterdir()] == [tiny_checkpoint.name]
