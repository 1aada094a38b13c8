"""A LISA that has not been trained yet: a LLaVA directory and a published SAM file, joined.

As upstream does at the start of its training: `[SEG]`, `<im_start>` and `<im_end>` are added to the
tokenizer where it lacks them, in this order; their embedding rows and the `[SEG]` projection are
random; everything else is what LLaVA, CLIP and SAM were released with.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import sentencepiece
import torch
from torch import Tensor, nn

from lisa_ros.errors import CheckpointMismatchError
from lisa_ros.model.checkpoint import TOKENIZER_FILES, LoadedLisa
from lisa_ros.model.config import LisaConfig
from lisa_ros.model.json_files import read_json
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.locations import vision_tower_folder
from lisa_ros.model.sam_config import SamConfig
from lisa_ros.model.settings import LisaSettings
from lisa_ros.model.tokenizer import IM_END_TOKEN, IM_START_TOKEN, SEG_TOKEN, LisaTokenizer
from lisa_ros.model.vision_files import load_vision_tower, read_clip_config
from lisa_ros.model.weight_files import (
    Shapes,
    check_keys,
    find_weight_files,
    load_into,
    read_shapes,
    read_tensors,
)

# One row per token: these grow with the tokenizer.
_EMBEDDINGS = ("model.embed_tokens.weight", "lm_head.weight")
_SAM = "model.visual_model."
_PROJECTION = "model.text_hidden_fcs."


def lisa_from_llava(
    llava: Path,
    sam: Path,
    work: Path,
    settings: LisaSettings,
    *,
    vision_tower: str | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    weights: bool = True,
) -> LoadedLisa:
    """Join a LLaVA directory and a SAM `.pth`; `.path` of the result has its tokenizer's files.

    Args:
        llava: a directory of LLaVA-v1 weights, merged (`training.convert llava-delta` merges).
        sam: a published SAM file (`sam_vit_h_4b8939.pth`); its sizes come from its shapes.
        work: a folder of the run, where the grown tokenizer is written.
        settings: what the result says of itself, its conversation template above all.
        vision_tower: CLIP's folder or hub id, where it should not be LLaVA's own.
        seed: of the new rows and of the `[SEG]` projection; nothing else is random.
        dtype: of the weights in memory.
        weights: false checks every key and shape, but reads no weights: the model is on "meta".

    Raises:
        CheckpointError: a file is missing, unreadable or does not fit; names file or key.

    """
    files, sam_files = find_weight_files(llava), [sam]
    shapes = {k: s for k, s in read_shapes(files).items() if not k.endswith("rotary_emb.inv_freq")}
    sam_shapes = read_shapes(sam_files)
    sam_config = SamConfig.from_state_dict(sam_shapes)
    tokenizer = grown_tokenizer(llava, work)
    config = _config(llava, len(tokenizer), sam_config, vision_tower)
    tower_folder = vision_tower_folder(llava, config.vision_tower)
    clip, processor = read_clip_config(tower_folder)
    with torch.device("meta"):
        network = LisaForCausalLM(config, sam_config, clip)
    _check(network, shapes, sam_shapes, llava, sam)
    whole = LoadedLisa(network.eval(), tokenizer, config, settings, processor, work, llava.name)
    if not weights:
        return whole
    cpu = torch.device("cpu")
    of_llava = shapes.keys() - set(_EMBEDDINGS)
    load_into(network, files, lambda key: key if key in of_llava else None, cpu, dtype)
    load_into(network, sam_files, lambda key: _SAM + key, cpu, dtype)
    load_vision_tower(network.vision_tower, tower_folder, cpu, dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _grow_embeddings(network, files, dtype)
        _init_projection(network, dtype)
    network.reset_rotary(cpu)
    return whole


def grown_tokenizer(llava: Path, work: Path) -> LisaTokenizer:
    """Write LLaVA's tokenizer with LISA's tokens added into `work`, and read it."""
    work.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        (work / name).unlink(missing_ok=True)  # of another LLaVA that was tried before
        if (llava / name).is_file():
            shutil.copyfile(llava / name, work / name)
    added: dict[str, int] = {}
    if (work / "added_tokens.json").exists():
        added = {str(token): int(i) for token, i in read_json(work / "added_tokens.json").items()}
    size = max([*added.values(), _n_pieces(llava) - 1]) + 1
    for token in (SEG_TOKEN, IM_START_TOKEN, IM_END_TOKEN):
        if token not in added:
            added[token] = size
            size += 1
    (work / "added_tokens.json").write_text(json.dumps(added, indent=2) + "\n", encoding="utf-8")
    return LisaTokenizer.from_pretrained(work)


def _n_pieces(llava: Path) -> int:
    model = sentencepiece.SentencePieceProcessor(model_file=str(llava / "tokenizer.model"))
    return int(model.get_piece_size())


def _config(llava: Path, vocab_size: int, sam: SamConfig, vision_tower: str | None) -> LisaConfig:
    data = {
        **read_json(llava / "config.json"),
        "vocab_size": vocab_size,
        "out_dim": sam.prompt_embed_dim,
        "mm_use_im_start_end": True,
        "train_mask_decoder": True,
    }
    config = LisaConfig.from_json(data)
    return (
        config if vision_tower is None else dataclasses.replace(config, vision_tower=vision_tower)
    )


def _check(network: nn.Module, shapes: Shapes, sam_shapes: Shapes, llava: Path, sam: Path) -> None:
    """Raise CheckpointMismatchError unless the two together are a whole LISA but for new rows."""
    wanted = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    of_sam = {k.removeprefix(_SAM): s for k, s in wanted.items() if k.startswith(_SAM)}
    check_keys(of_sam, sam_shapes, sam)
    of_llava = {k: s for k, s in wanted.items() if not k.startswith((_SAM, _PROJECTION))}
    for key in _EMBEDDINGS:
        rows = shapes.get(key, (0,))[0]
        if not 0 < rows <= of_llava[key][0]:
            raise CheckpointMismatchError(
                f"{llava}: {key} has {rows} rows, but the tokenizer {of_llava[key][0]} ids with "
                "LISA's added; use the tokenizer that belongs to these weights"
            )
        of_llava[key] = (rows, *of_llava[key][1:])
    check_keys(of_llava, shapes, llava)


def _grow_embeddings(network: LisaForCausalLM, files: list[Path], dtype: torch.dtype) -> None:
    known: Mapping[str, Tensor] = dict(read_tensors(files, _EMBEDDINGS))
    std = network.config.initializer_range
    for key in _EMBEDDINGS:
        module = network.get_submodule(key.removesuffix(".weight"))
        weight = torch.empty(network.config.vocab_size, network.config.hidden_size).normal_(std=std)
        weight[: len(known[key])] = known[key].float()
        module.weight = nn.Parameter(weight.to(dtype))


def _init_projection(network: LisaForCausalLM, dtype: torch.dtype) -> None:
    network.model.text_hidden_fcs.to_empty(device="cpu")
    for module in network.model.text_hidden_fcs.modules():
        if isinstance(module, nn.Linear):
            module.reset_parameters()
    network.model.text_hidden_fcs.to(dtype)
