"""Words of the two splits: what training says, and what it never says.

Unseen wordings recombine words that training knows, because that is what a small model can be asked
for; no unseen wording occurs as a sequence of words in any training sentence (tested).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "unseen"]
SPLITS: tuple[Split, ...] = ("train", "unseen")


@dataclass(frozen=True)
class Wordings:
    """The same meaning in words that training uses and in words that it never sees."""

    train: tuple[str, ...]
    unseen: tuple[str, ...]

    def of(self, split: Split) -> tuple[str, ...]:
        """The wordings of one split."""
        return self.train if split == "train" else self.unseen


def listed(text: str) -> tuple[str, ...]:
    """The parts of a list that is written with commas: "mug, cup"."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
