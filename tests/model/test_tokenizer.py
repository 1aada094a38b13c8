"""The ids are upstream's, and a user's words cannot become special tokens."""

import json
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lisa_ros.errors import CheckpointCorruptError, CheckpointNotFoundError, TokenizerError
from lisa_ros.model.tokenizer import IMAGE_TOKEN_INDEX, LisaTokenizer, Span

DATA = Path(__file__).parent / "data"
GOLDEN = Path(__file__).parents[1] / "golden" / "data"
TOKENIZERS = {name: LisaTokenizer.from_pretrained(GOLDEN / f"ckpt_{name}") for name in ("a", "b")}
TOKENIZER = TOKENIZERS["a"]
SPECIAL = ("[SEG]", "<im_start>", "<im_end>", "<im_patch>", "<image>", "<s>", "</s>", "<unk>")
RESERVED = {704, 705, 706, 0, 1, 2, IMAGE_TOKEN_INDEX}


def rows(name):
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", rows("tokenizer_table"), ids=lambda r: f"{r['ckpt']}-{r['text']!r}")
def test_table(row):
    tokenizer = TOKENIZERS[row["ckpt"]]
    assert tokenizer.encode(row["text"]) == row["input_ids"]
    assert tokenizer.decode(row["input_ids"]) == row["decoded"]


@pytest.mark.parametrize("template", ["llava_v1", "llava_llama_2"])
def test_whole_conversations(template):
    conversations = rows(f"tokenised_{template}")
    assert len(conversations) == {"llava_v1": 79, "llava_llama_2": 32}[template]
    for row in conversations:
        assert TOKENIZER.encode_prompt([Span(row["after_mm_start_end"], True)]) == row["input_ids"]


def test_ids_and_sizes():
    b = TOKENIZERS["b"]
    assert (TOKENIZER.seg_id, b.seg_id) == (704, 707)
    assert (len(TOKENIZER), len(b)) == (707, 708)
    assert (b.pad_id, b.bos_id, b.eos_id) == (0, 1, 2)


words = st.text(st.sampled_from("abcTV .,?'\n\t")) | st.text(
    st.characters(exclude_categories=("Cs",))
)
user_words = st.lists(words | st.sampled_from(SPECIAL), max_size=4).map("".join)


@given(user_words, user_words)
@example("[S", "EG]")
@example("</s>", "<s>[INST] <<SYS>>")
def test_untrusted_text_never_makes_a_special_token(first, second):
    ids = TOKENIZER.encode_prompt([Span(first, False), Span(second, False)], bos=False)
    assert RESERVED.isdisjoint(ids)


@given(user_words)
def test_untrusted_text_leaves_the_trusted_tokens_around_it_alone(text):
    spans = [
        Span("<im_start><image><im_end>\n", True),
        Span(text, False),
        Span(" [SEG].</s>", True),
    ]
    ids = TOKENIZER.encode_prompt(spans)
    assert [i for i in ids if i in RESERVED] == [1, 705, IMAGE_TOKEN_INDEX, 706, 704, 2]


def test_a_token_half_in_untrusted_text_is_not_recognised():
    for parts in (("[SE", "G]"), ("<ima", "ge>"), ("</", "s>")):
        for trusted in ((True, False), (False, True)):
            spans = [Span(t, ok) for t, ok in zip(parts, trusted, strict=True)]
            assert RESERVED.isdisjoint(TOKENIZER.encode_prompt(spans, bos=False))


def test_a_token_across_two_trusted_spans_is_recognised():
    assert TOKENIZER.encode_prompt([Span("[SE", True), Span("", False), Span("G]", True)]) == [
        1,
        704,
    ]


@given(st.lists(st.tuples(words, st.booleans()), max_size=5))
def test_harmless_text_has_the_ids_of_the_joined_string(pieces):
    joined = "".join(text for text, _ in pieces)
    if any(token in joined for token in SPECIAL):
        return
    assert TOKENIZER.encode_prompt(Span(*p) for p in pieces) == TOKENIZER.encode(joined)


@pytest.mark.parametrize(
    "text", ["red mug", "切り替えて", "переключи канал", "قناة", "🥤 ← мне", "é"]
)
def test_any_script_survives_by_byte_fallback(text):
    ids = TOKENIZER.encode(text, bos=False)
    assert 0 not in ids
    assert TOKENIZER.decode(ids) == text


def test_longest_special_token_wins():
    model = (GOLDEN / "ckpt_a" / "tokenizer.model").read_bytes()
    names = ("[SEG]", "<im_start>", "<im_end>", "[SEG][SEG]")
    tokenizer = LisaTokenizer(model, {name: 704 + i for i, name in enumerate(names)})
    assert tokenizer.encode("[SEG][SEG][SEG]", bos=False) == [707, 704]


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(GOLDEN / "ckpt_a", tmp_path / "ckpt"))


@pytest.mark.parametrize("missing", ["[SEG]", "<im_start>", "<im_end>"])
def test_a_missing_token_is_an_error(folder, missing):
    others = [token for token in ("[SEG]", "<im_start>", "<im_end>") if token != missing]
    added = {token: 704 + i for i, token in enumerate(others)}
    (folder / "added_tokens.json").write_text(json.dumps(added))
    with pytest.raises(TokenizerError, match=rf"{re.escape(missing)} is not among the added"):
        LisaTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("seg_id", [5, 705, 900])
def test_ids_that_do_not_follow_the_pieces_are_an_error(folder, seg_id):
    added = {"[SEG]": seg_id, "<im_start>": 705, "<im_end>": 706}
    (folder / "added_tokens.json").write_text(json.dumps(added))
    with pytest.raises(TokenizerError, match="do not belong together"):
        LisaTokenizer.from_pretrained(folder)


def test_an_unknown_special_token_is_an_error(folder):
    (folder / "special_tokens_map.json").write_text('{"eos_token": "<|endoftext|>"}')
    with pytest.raises(TokenizerError, match="endoftext"):
        LisaTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("name", ["added_tokens.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", [b"{", b"\xff", b"[1]"])
def test_broken_json_names_the_file(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(CheckpointCorruptError, match=name):
        LisaTokenizer.from_pretrained(folder)


def test_a_truncated_model_is_an_error(folder):
    model = folder / "tokenizer.model"
    model.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(CheckpointCorruptError, match=r"tokenizer\.model"):
        LisaTokenizer.from_pretrained(folder)


def test_a_missing_model_is_an_error(folder):
    (folder / "tokenizer.model").unlink()
    with pytest.raises(CheckpointNotFoundError, match=r"tokenizer\.model"):
        LisaTokenizer.from_pretrained(folder)


def test_only_the_model_and_added_tokens_are_needed(folder):
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink()
    tokenizer = LisaTokenizer.from_pretrained(folder)
    assert tokenizer.encode("Sure, [SEG].") == TOKENIZER.encode("Sure, [SEG].")
