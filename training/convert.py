"""Make weights that this package starts from: `python -m training.convert llava-delta BASE ...`.

LLaVA-v1 was released as the difference to LLaMA, whose licence forbade more. Adding the two gives a
LLaVA directory, which `training.train` starts from.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from lisa_ros.durable_files import flush, flush_tree
from lisa_ros.errors import CheckpointMismatchError, ConfigurationError, LisaError
from lisa_ros.model.weight_files import Shapes, find_weight_files, read_shapes, read_tensors

# LLaVA's own: the base has no such weights.
_NEW = ("model.mm_projector.",)
# Older releases of transformers wrote this constant into files, newer ones do not.
_CONSTANT = "rotary_emb.inv_freq"
# These have a row for each token, and LLaVA added tokens behind LLaMA's.
_GROWN = ("model.embed_tokens.weight", "lm_head.weight")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when the conversion is done."""
    parser = argparse.ArgumentParser(prog="python -m training.convert")
    commands = parser.add_subparsers(dest="command", required=True)
    delta = commands.add_parser("llava-delta", help="LLaMA + a LLaVA-v1 delta release = LLaVA")
    delta.add_argument("base", type=Path, help="a folder of LLaMA weights in transformers' layout")
    delta.add_argument("delta", type=Path, help="a folder of a LLaVA-v1 delta release")
    delta.add_argument("out", type=Path, help="the folder to write; it must not exist")
    delta.add_argument("--dtype", choices=("float16", "bfloat16", "float32"), default="float16")
    options = parser.parse_args(arguments)
    try:
        merge_llava_delta(options.base, options.delta, options.out, getattr(torch, options.dtype))
    except LisaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Written {options.out}. Next: name it as `llava` in a training configuration.")
    return 0


def merge_llava_delta(base: Path, delta: Path, out: Path, dtype: torch.dtype) -> None:
    """Write base + delta into `out`, with the delta's configuration and tokenizer.

    One shard of the delta is in memory at a time. Sums are computed in float32.

    Raises:
        ConfigurationError: `out` exists.
        CheckpointError: a file is missing or unreadable, or the two do not belong together.

    """
    if out.exists():
        raise ConfigurationError(f"{out} exists; choose a folder that does not.")
    files, base_files = find_weight_files(delta), find_weight_files(base)
    _check(_shapes(base_files), _shapes(files), base, delta)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as aside:
        whole = Path(aside) / out.name
        whole.mkdir()
        for path in sorted(delta.iterdir()):
            if path.suffix in (".json", ".model") and not path.name.endswith(".index.json"):
                shutil.copyfile(path, whole / path.name)
        _write_shards(whole, files, base_files, dtype)
        flush_tree(whole)
        whole.rename(out)
    flush(out.parent)


def _write_shards(
    folder: Path, files: list[Path], base_files: list[Path], dtype: torch.dtype
) -> None:
    weight_map: dict[str, str] = {}
    for number, path in enumerate(tqdm(files, desc="merging", unit="shard"), start=1):
        name = f"model-{number:05d}-of-{len(files):05d}.safetensors"
        shard = dict(read_tensors([path], _shapes([path])))
        for key, tensor in read_tensors(base_files, shard):
            shard[key] = _sum(shard[key], tensor)
        save_file(
            {k: t.to(dtype).contiguous() for k, t in shard.items()},
            folder / name,
            metadata={"format": "pt"},
        )
        weight_map |= dict.fromkeys(shard, name)
    index = {"metadata": {}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def _shapes(files: list[Path]) -> Shapes:
    return {key: s for key, s in read_shapes(files).items() if not key.endswith(_CONSTANT)}


def _sum(delta: Tensor, base: Tensor) -> Tensor:
    """Add; of rows that the base does not have, the delta is all there is."""
    whole = delta.float()
    whole[: len(base)] += base.float()
    return whole


def _check(base: Shapes, delta: Shapes, where: Path, delta_at: Path) -> None:
    problems = [*_unlike(base, delta)]
    if problems:
        raise CheckpointMismatchError(
            f"{delta_at} is no delta of {where}: {'; '.join(problems[:5])}"
            + (f" and {len(problems) - 5} more" if len(problems) > 5 else "")
        )


def _unlike(base: Shapes, delta: Shapes) -> Iterator[str]:
    for key in base.keys() - delta.keys():
        yield f"the delta lacks {key}"
    for key, shape in delta.items():
        if key not in base:
            if not key.startswith(_NEW):
                yield f"the base lacks {key}"
        elif key in _GROWN:
            if shape[1:] != base[key][1:] or shape[0] < base[key][0]:
                yield f"{key} is {list(shape)}, the base's {list(base[key])}"
        elif shape != base[key]:
            yield f"{key} is {list(shape)}, the base's {list(base[key])}"


if __name__ == "__main__":
    sys.exit(main())
