"""A LLaVA directory and a SAM file, both cut out of a random LISA."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from random_lisa import write_random_lisa

N_PIECES = 704


def write_llava_parts(folder: Path, seed: int = 3) -> tuple[Path, Path]:
    """Write `folder/llava` and `folder/sam.pth` of `random_lisa(seed)`, and return their paths."""
    whole = write_random_lisa(folder / "llava", seed)
    llava, state = folder / "llava", whole.model.state_dict()
    (llava / "model.safetensors").unlink()
    (llava / "added_tokens.json").unlink()
    sam_prefix = "model.visual_model."
    text = {k: v for k, v in state.items() if "visual_model" not in k and "text_hidden" not in k}
    for key in ("model.embed_tokens.weight", "lm_head.weight"):
        text[key] = text[key][:N_PIECES].clone()
    torch.save(text, llava / "pytorch_model.bin")
    config = json.loads((llava / "config.json").read_text())
    config.update(vocab_size=N_PIECES, mm_use_im_start_end=False)
    (llava / "config.json").write_text(json.dumps(config))
    sam = {k.removeprefix(sam_prefix): v for k, v in state.items() if k.startswith(sam_prefix)}
    torch.save(sam, folder / "sam.pth")
    return llava, folder / "sam.pth"
