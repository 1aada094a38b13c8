"""Sizes are derived from the golden checkpoints, ids are those of their tokenizers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from golden_data import GoldenSet, loaded

from lisa_ros.model.checkpoint import LoadedLisa


def test_sizes_and_ids_are_derived(checkpoint: Path, golden_set: GoldenSet) -> None:
    """The sizes come from the weights; where a file beside them says the sizes too, they agree."""
    lisa = loaded(checkpoint)
    listed = [
        group
        for group in golden_set.groups.values()
        if any(case["checkpoint"] == checkpoint.name for case in group["cases"].values())
    ]
    for group in listed:
        assert lisa.tokenizer.seg_id == group["seg_token_idx"]
        assert len(lisa.tokenizer) == group["seg_vocab"]
        for token, index in group["tokens"].items():
            assert lisa.tokenizer.encode(token, bos=False) == [index]
    sizes_file = checkpoint / "sam_tiny_config.json"
    if sizes_file.exists():
        sizes = json.loads(sizes_file.read_text())
        sizes.pop("note", None)
        assert sizes == upstream_sam_sizes(lisa)


def upstream_sam_sizes(lisa: LoadedLisa) -> dict[str, Any]:
    """Return the derived sizes under the names of segment-anything's builder."""
    sam = lisa.model.sam.config
    return {
        "encoder_embed_dim": sam.encoder_embed_dim,
        "encoder_depth": sam.encoder_depth,
        "encoder_num_heads": sam.encoder_num_heads,
        "encoder_global_attn_indexes": list(sam.encoder_global_attn_indexes),
        "prompt_embed_dim": sam.prompt_embed_dim,
        "image_size": sam.image_size,
        "vit_patch_size": sam.patch_size,
        "window_size": sam.window_size,
        "mlp_ratio": sam.encoder_mlp_dim / sam.encoder_embed_dim,
        "mask_in_chans": sam.mask_in_chans,
        "decoder_transformer_depth": sam.decoder_depth,
        "decoder_mlp_dim": sam.decoder_mlp_dim,
        "decoder_num_heads": lisa.model.sam.mask_decoder.transformer.num_heads,
        "num_multimask_outputs": sam.num_mask_tokens - 1,
        "iou_head_depth": sam.iou_head_depth,
        "iou_head_hidden_dim": sam.iou_head_hidden_dim,
    }


def test_tokenizer_table(golden_set: GoldenSet) -> None:
    """Every text of the table has upstream's ids and reads back as upstream's text.

    The table may have rows of checkpoints that another directory of golden data holds.
    """
    path = golden_set.root / "g4" / "tokenizer_table.json"
    assert path.exists() or "g4/tokenizer_table.json" not in golden_set.file_sizes
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    for row in rows:
        checkpoint = golden_set.root / f"ckpt_{row['ckpt']}"
        if checkpoint not in golden_set.checkpoints:
            continue
        tokenizer = loaded(checkpoint).tokenizer
        assert tokenizer.encode(row["text"]) == row["input_ids"], row["text"]
        assert tokenizer.decode(row["input_ids"]) == row["decoded"], row["text"]
