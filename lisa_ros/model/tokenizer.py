"""Text to token ids and back, exactly as the released LISA checkpoints were trained.

The ids are those of the slow Llama tokenizer of transformers 4.31 ("legacy"). Later versions give
other ids for the same files, so sentencepiece is used directly and the few rules around it are
written out here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sentencepiece

from lisa_ros.errors import CheckpointCorruptError, CheckpointNotFoundError, TokenizerError
from lisa_ros.model.json_files import fits, read_json

IMAGE_TOKEN = "<image>"
IMAGE_TOKEN_INDEX = -200  # stands in the ids where the image tokens go; never an embedding row
SEG_TOKEN = "[SEG]"
IM_START_TOKEN = "<im_start>"
IM_END_TOKEN = "<im_end>"


class Span(NamedTuple):
    """A piece of a prompt. Special tokens are recognised in trusted text only."""

    text: str
    trusted: bool


class LisaTokenizer:
    """A sentencepiece model, the tokens added to it, and the rule that joins the two.

    Text is split at every added token and at `<s> </s> <unk>`, the longest match first; whitespace
    beside an added token disappears; each remaining piece is encoded on its own.
    """

    def __init__(
        self,
        sentencepiece_model: bytes,
        added_tokens: Mapping[str, int],
        *,
        bos_token: str = "<s>",
        eos_token: str = "</s>",
        unk_token: str = "<unk>",
    ) -> None:
        """Raise TokenizerError when `[SEG]`, `<im_start>` or `<im_end>` is not exactly one id."""
        self._sentencepiece = _parse_sentencepiece(sentencepiece_model)
        self._n_pieces: int = self._sentencepiece.get_piece_size()
        self._added = dict(added_tokens)
        self._check_added_tokens()
        for token in (SEG_TOKEN, IM_START_TOKEN, IM_END_TOKEN):
            self._check_is_added(token)
        self._special = {t: self._special_id(t) for t in (bos_token, eos_token, unk_token)}
        self.bos_id = self._special[bos_token]
        self.eos_id = self._special[eos_token]
        self.pad_id = self._special[unk_token]  # upstream pads with <unk>
        self.seg_id = self._added[SEG_TOKEN]
        self.added_ids = tuple(sorted(self._added.values()))
        self._token_of_id = {i: t for t, i in {**self._special, **self._added}.items()}
        self._splitter = _longest_match((*self._added, *self._special))
        self._prompt_splitter = _longest_match((*self._added, *self._special, IMAGE_TOKEN))

    @classmethod
    def from_pretrained(cls, directory: str | Path) -> LisaTokenizer:
        """Read `tokenizer.model`, `added_tokens.json` and the token names of a checkpoint folder.

        Raises CheckpointNotFoundError, CheckpointCorruptError or TokenizerError, naming the file.
        """
        folder = Path(directory)
        settings = {
            **_optional_json(folder / "tokenizer_config.json"),
            **_optional_json(folder / "special_tokens_map.json"),
        }
        names = {
            name: _token_text(settings[name], folder)
            for name in ("bos_token", "eos_token", "unk_token")
            if settings.get(name) is not None
        }
        return cls(
            _read_bytes(folder / "tokenizer.model"),
            _read_added_tokens(folder / "added_tokens.json"),
            **names,
        )

    def __len__(self) -> int:
        """Return the size of the vocabulary, which is the number of embedding rows."""
        return self._n_pieces + len(self._added)

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """Encode text whose special tokens count (a template, an answer of the model).

        `<image>` is plain text here, as in upstream's tokenizer; `encode_prompt` is what knows
        images.
        """
        ids = self._encode_split(text, self._splitter.finditer(text))
        return [self.bos_id, *ids] if bos else ids

    def encode_prompt(self, spans: Iterable[Span], *, bos: bool = True) -> list[int]:
        """Encode a prompt of trusted and untrusted pieces; `<image>` becomes IMAGE_TOKEN_INDEX.

        A special token must lie inside trusted text to be recognised, so that no wording of an
        untrusted piece can produce one. Text without special tokens gets the ids of the joined
        string.
        """
        text, runs = _join(spans)
        matches = (
            match
            for start, end in runs
            for match in self._prompt_splitter.finditer(text, start, end)
        )
        ids = self._encode_split(text, matches)
        return [self.bos_id, *ids] if bos else ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of the ids, special tokens included, spaced as upstream spaces it.

        Added tokens stand between spaces ("Sure, [SEG] ."); image placeholders are left out.
        """
        parts: list[str] = []
        run: list[int] = []
        for token in ids:
            if token in self._added.values():
                if run:
                    parts.append(self._decode_run(run))
                parts.append(self._token_of_id[token])
                run = []
            elif token != IMAGE_TOKEN_INDEX:
                run.append(token)
        if run:
            parts.append(self._decode_run(run))
        return " ".join(parts)

    def _decode_run(self, ids: Sequence[int]) -> str:
        """Decode ids without added tokens.

        A `<s> </s> <unk>` that follows text puts a space before that text; odd, but upstream's
        output.
        """
        text = ""
        pending: list[int] = []
        for token in ids:
            if token not in self._special.values():
                pending.append(token)
                continue
            if pending:
                text += " "
            text += self._sentencepiece.decode(pending) + self._token_of_id[token]
            pending = []
        return text + str(self._sentencepiece.decode(pending))

    def _encode_split(self, text: str, matches: Iterable[re.Match[str]]) -> list[int]:
        ids: list[int] = []
        start = 0
        strip_left = False
        for match in matches:
            token = match.group()
            added = token in self._added
            ids += self._encode_piece(text[start : match.start()], strip_left, added)
            ids.append(self._id_of(token))
            start, strip_left = match.end(), added
        return ids + self._encode_piece(text[start:], strip_left, False)

    def _encode_piece(self, piece: str, strip_left: bool, strip_right: bool) -> list[int]:
        piece = piece.lstrip() if strip_left else piece
        piece = piece.rstrip() if strip_right else piece
        return list(self._sentencepiece.encode(piece)) if piece else []

    def _id_of(self, token: str) -> int:
        if token == IMAGE_TOKEN:
            return IMAGE_TOKEN_INDEX
        return self._added[token] if token in self._added else self._special[token]

    def _check_is_added(self, token: str) -> None:
        if token not in self._added:
            raise TokenizerError(
                f"{token} is not among the added tokens ({', '.join(self._added) or 'none'}), so "
                "it would be several ids instead of one. Use the tokenizer files of the LISA "
                "checkpoint itself."
            )

    def _special_id(self, token: str) -> int:
        index = int(self._sentencepiece.piece_to_id(token))
        if self._sentencepiece.id_to_piece(index) != token:
            raise TokenizerError(
                f"The sentencepiece model has no piece {token!r}. It is not a Llama tokenizer."
            )
        return index

    def _check_added_tokens(self) -> None:
        ids = sorted(self._added.values())
        expected = list(range(self._n_pieces, self._n_pieces + len(ids)))
        if ids != expected:
            raise TokenizerError(
                f"The added tokens have the ids {ids}; after the {self._n_pieces} pieces of the "
                f"sentencepiece model {expected} were expected. added_tokens.json and "
                "tokenizer.model do not belong together."
            )


def _join(spans: Iterable[Span]) -> tuple[str, list[tuple[int, int]]]:
    """Return the whole text and the (start, end) of its maximal trusted runs."""
    text = ""
    runs: list[tuple[int, int]] = []
    for span in spans:
        start, text = len(text), text + span.text
        if not span.trusted or not span.text:
            continue
        if runs and runs[-1][1] == start:
            start = runs.pop()[0]
        runs.append((start, len(text)))
    return text, runs


def _longest_match(tokens: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(t) for t in sorted(set(tokens), key=len, reverse=True)))


def _parse_sentencepiece(model: bytes) -> Any:
    try:
        return sentencepiece.SentencePieceProcessor(model_proto=model)
    except RuntimeError as error:
        raise CheckpointCorruptError(
            f"tokenizer.model ({len(model)} bytes) is not a sentencepiece model: {error}. "
            "Download it again."
        ) from error


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointNotFoundError(
            f"{path} is missing: a LISA checkpoint has its own sentencepiece tokenizer."
        ) from error
    except OSError as error:
        raise CheckpointCorruptError(f"{path} is not readable: {error}") from error


def _optional_json(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _read_added_tokens(path: Path) -> dict[str, int]:
    added = _optional_json(path)
    if not all(fits(index, "int") for index in added.values()):
        raise CheckpointCorruptError(f"{path} must map tokens to ids, got {added}.")
    return added


def _token_text(value: Any, folder: Path) -> str:
    text = value.get("content") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise TokenizerError(f"A special token of {folder} is {value!r}, expected its text.")
    return text
