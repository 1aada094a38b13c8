"""A tokenizer of our own has the files and the rules of a released one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lisa_ros.model.prompts import ANSWERS, LLAVA_V1, REFUSAL, accepting_first_tokens
from lisa_ros.model.tokenizer import LisaTokenizer
from training.tokenizer import train_tokenizer

SENTENCES = [LLAVA_V1.opening, REFUSAL, *ANSWERS, "Give me the red mug.", "I am thirsty."] * 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer(SENTENCES, 400, path)
    return path


def test_its_size_is_the_number_of_embedding_rows(folder: Path) -> None:
    assert len(LisaTokenizer.from_pretrained(folder)) == 403


def test_yes_and_no_open_with_different_tokens(folder: Path) -> None:
    assert len(accepting_first_tokens(LisaTokenizer.from_pretrained(folder), LLAVA_V1)) == 3


@pytest.mark.parametrize("text", ["Give me the red mug.", "Ich möchte Tee", "お茶をください", "🍎"])
def test_every_text_survives(folder: Path, text: str) -> None:
    tokenizer = LisaTokenizer.from_pretrained(folder)
    assert tokenizer.decode(tokenizer.encode(text, bos=False)) == text


def test_training_it_twice_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    train_tokenizer(SENTENCES, 400, tmp_path)
    for file in folder.iterdir():
        assert file.read_bytes() == (tmp_path / file.name).read_bytes()
