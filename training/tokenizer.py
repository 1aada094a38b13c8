"""Train a small LLaMA-style tokenizer, for a LISA that starts from nothing.

The files are those of a released LISA (slow LlamaTokenizer): tokenizer.model, added_tokens.json,
special_tokens_map.json, tokenizer_config.json. Byte fallback keeps every text representable.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path

import sentencepiece

ADDED_TOKENS = ("[SEG]", "<im_start>", "<im_end>")


def train_tokenizer(
    sentences: Iterable[str], vocab_size: int, out: Path, model_max_length: int = 512
) -> int:
    """Write the tokenizer's files into the folder `out` and return the vocabulary's size.

    The size counts the added tokens: it is the number of embedding rows.
    """
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        vocab_size=vocab_size,
        model_type="bpe",
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=True,
        split_digits=True,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        num_threads=1,
        minloglevel=1,
    )
    (out / "tokenizer.model").write_bytes(model.getvalue())
    first = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()).get_piece_size()
    added = {token: first + i for i, token in enumerate(ADDED_TOKENS)}
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<unk>"}
    settings = {
        "tokenizer_class": "LlamaTokenizer",
        "add_bos_token": True,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "legacy": True,
        "model_max_length": model_max_length,
        "padding_side": "right",
        "sp_model_kwargs": {},
        **special,
    }
    for name, content in (
        ("added_tokens.json", added),
        ("special_tokens_map.json", special),
        ("tokenizer_config.json", settings),
    ):
        (out / name).write_text(
            json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8"
        )
    return first + len(added)
