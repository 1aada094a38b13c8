"""LLaVA-Instruct: conversations about COCO images in plain text, which keep the model talking.

Source: `llava_instruct_150k.json`, a list of {"image", "conversations": [{"from", "value"}]}. The
turns alternate; `<image>` stands once, at the start or the end of the first human turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from lisa_ros.errors import DatasetError
from lisa_ros.model.tokenizer import IMAGE_TOKEN
from training.data.coco_number import coco_number
from training.data.fields import field, of_kind, read_json
from training.data.image_file import image_problems, image_size
from training.data.phrasing import checked_text
from training.data.sample import Conversation, Problem, Sample, Turn
from training.data.set_aside import VAL_SHARE, is_set_aside

TRAIN, VAL = "train", "val"
_HUMAN, _MODEL = "human", "gpt"


class LlavaInstruct:
    """Items of a LLaVA-Instruct file, one conversation each, without masks.

    The file has no splits. "val" are the items about a share of the images, which a hash of their
    names chooses, so that no image is in both; "train" are all others.
    """

    def __init__(
        self,
        instructions: Path,
        images: Path,
        split: str | None = None,
        val_share: float = VAL_SHARE,
    ) -> None:
        """Read the file (about 0.5 GB of memory for the 150k items).

        split: "train" or "val"; None: every item. val_share: 0 to 1, of the images.

        Raises:
            DatasetError: the file is missing, malformed or empty, or has nothing in this split.

        """
        self._file, self._images, self._split = instructions, images, split
        items = of_kind(read_json(instructions), list, str(instructions))
        if not items:
            raise DatasetError(f"{instructions} is an empty list; download it again.")
        self._items = {
            number: item
            for number, item in enumerate(items)
            if split is None or (split == VAL) == _is_set_aside(item, val_share)
        }
        self._numbers = tuple(self._items)
        if not self._items:
            raise DatasetError(
                f"None of the {len(items)} items of {instructions} is in {split!r}: val_share is "
                f"{val_share}. Choose another, and the same wherever this file is opened."
            )

    @property
    def name(self) -> str:
        """Such as "llava_instruct_150k|train"; the file's stem alone for every item."""
        return self._file.stem if self._split is None else f"{self._file.stem}|{self._split}"

    def __len__(self) -> int:
        return len(self._numbers)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """The conversation of this item; nothing is drawn.

        Raises:
            DatasetError: the item is malformed or its image missing; names them.

        """
        del rng
        image, where = self._image(index), self._where(index)
        turns = checked_conversation(self._values(index), where)
        masks = np.zeros((0, *image_size(image)), np.uint8)
        return Sample(self.name, image, (turns,), masks)

    def counts(self) -> Mapping[str, int]:
        """Items, different images, and turns of both sides.

        Raises:
            DatasetError: an item is malformed.

        """
        every = range(len(self))
        turns = sum(len(self._values(index)) for index in every)
        images = {self._image(index) for index in every}
        return {"conversations": len(self), "images": len(images), "turns": turns}

    def coco_numbers(self) -> tuple[int | None, ...]:
        """COCO's number of each item's image; None for one that is not of COCO, or not said."""
        images = map(_image_named, self._items.values())
        return tuple(None if image is None else coco_number(image) for image in images)

    def problems(self) -> Iterator[Problem]:
        """Read every item, and decode every image once."""
        images: set[Path] = set()
        for index in range(len(self)):
            where = self._where(index)
            try:
                images.add(self._image(index))
                checked_conversation(self._values(index), where)
            except DatasetError as error:
                yield Problem("error", self._file, str(error))
        for image in sorted(images):
            yield from image_problems(image)

    def _image(self, index: int) -> Path:
        return self._images / field(self._item(index), "image", str, self._where(index))

    def _values(self, index: int) -> list[tuple[str, str]]:
        """(speaker, words) of an item's turns, from the first human one on."""
        where = self._where(index)
        turns = [
            (field(turn, "from", str, where), field(turn, "value", str, where))
            for turn in field(self._item(index), "conversations", list, where)
        ]
        # As upstream: a conversation that the model opens goes on without its opening.
        return turns[1:] if turns and turns[0][0] == _MODEL else turns

    def _item(self, index: int) -> object:
        return self._items[self._numbers[index]]

    def _where(self, index: int) -> str:
        """For people: the item's place in the file."""
        return f"item {self._numbers[index]} of {self._file}"


def _image_named(item: object) -> str | None:
    """The image of an item; None where it is malformed, which shows when it is read."""
    image = item.get("image") if isinstance(item, dict) else None
    return image if isinstance(image, str) else None


def _is_set_aside(item: object, share: float) -> bool:
    image = _image_named(item)
    return image is not None and is_set_aside(PurePosixPath(image).stem, share)


def checked_conversation(turns: list[tuple[str, str]], where: str) -> Conversation:
    """Pair (speaker, words) up into questions and answers, and take out the image's placeholder.

    Raises:
        DatasetError: speakers do not alternate, a question has no answer, a text is blank or holds
            `[SEG]`, or `<image>` is not once in the first question and nowhere else.

    """
    expected = [_HUMAN, _MODEL] * (len(turns) // 2)
    speakers = [speaker for speaker, _ in turns]
    if not turns or speakers != expected:
        raise DatasetError(
            f"The speakers of {where} are {', '.join(speakers[:6]) or 'none'}; expected human and "
            "gpt in turn, the last word being gpt's. Correct the item or delete it."
        )
    words = [value for _, value in turns]
    if words[0].count(IMAGE_TOKEN) != 1:
        raise DatasetError(
            f"The first question of {where} holds {IMAGE_TOKEN} {words[0].count(IMAGE_TOKEN)} "
            "times; expected once. Correct the item or delete it."
        )
    words[0] = words[0].replace(IMAGE_TOKEN, "").strip()
    for number, value in enumerate(words):
        checked_text(value, f"Turn {number} of {where}")
    return tuple(Turn(*pair) for pair in zip(words[::2], words[1::2], strict=True))
