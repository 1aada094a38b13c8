"""What things are called and how they are described, in words of "train" and of "unseen".

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


@dataclass(frozen=True)
class Entry:
    """The words for a set of kinds. names and descriptions are noun phrases without an article."""

    kinds: frozenset[str]
    names: Wordings
    descriptions: Wordings


def _entry(
    kinds: str,
    names: tuple[tuple[str, ...], tuple[str, ...]],
    descriptions: tuple[tuple[str, ...], tuple[str, ...]],
) -> Entry:
    return Entry(frozenset(kinds.split()), Wordings(*names), Wordings(*descriptions))


ENTRIES: tuple[Entry, ...] = (
    _entry(
        "remote",
        (("remote control", "remote"), ("TV remote",)),
        (
            ("thing with buttons to control the TV", "device that changes the channel"),
            ("device with buttons for the TV",),
        ),
    ),
    _entry(
        "phone",
        (("phone", "mobile phone"), ("smartphone",)),
        (
            ("device to make calls with", "small device with a touch screen"),
            ("small device to call people with",),
        ),
    ),
    _entry(
        "television",
        (("television", "TV"), ("TV set",)),
        (
            ("big screen that shows movies", "screen on a stand"),
            ("big screen on a stand",),
        ),
    ),
    _entry(
        "laptop",
        (("laptop", "notebook computer"), ("laptop computer",)),
        (
            ("device with a keyboard and a screen", "computer that can be folded"),
            ("computer with a keyboard",),
        ),
    ),
    _entry(
        "headphones",
        (("headphones", "headset"), ("pair of headphones",)),
        (
            ("thing to wear over the ears", "device for listening to music"),
            ("thing for listening with both ears",),
        ),
    ),
    _entry(
        "lamp",
        (("lamp", "table lamp"), ("desk lamp",)),
        (
            ("thing with a shade that gives light", "device that makes the room bright"),
            ("device that gives light",),
        ),
    ),
    _entry(
        "apple",
        (("apple",), ("ripe apple",)),
        (
            ("fruit with a stem and a leaf", "crunchy fruit"),
            ("crunchy fruit with a stem",),
        ),
    ),
    _entry(
        "orange",
        (("orange",), ("ripe orange",)),
        (
            ("round citrus fruit", "citrus fruit for sweet juice"),
            ("sweet and round citrus fruit",),
        ),
    ),
    _entry(
        "lemon",
        (("lemon",), ("ripe lemon",)),
        (
            ("sour fruit", "yellow citrus fruit"),
            ("sour yellow fruit",),
        ),
    ),
    _entry(
        "banana",
        (("banana",), ("ripe banana",)),
        (
            ("long bent fruit", "fruit that monkeys like"),
            ("long fruit that monkeys like",),
        ),
    ),
    _entry(
        "apple orange lemon banana",
        (("fruit", "piece of fruit"), ("fresh fruit",)),
        ((), ()),
    ),
    _entry(
        "mug",
        (("mug", "cup"), ("coffee cup",)),
        (
            ("thing with a handle to drink coffee from", "container for hot coffee"),
            ("container with a handle for hot coffee",),
        ),
    ),
    _entry(
        "bottle",
        (("bottle", "water bottle"), ("drinking bottle",)),
        (
            ("tall container with a cap", "container with a narrow neck"),
            ("tall container with a narrow neck",),
        ),
    ),
    _entry(
        "bowl",
        (("bowl", "soup bowl"), ("deep bowl",)),
        (
            ("round deep dish for soup", "dish to eat cereal from"),
            ("deep dish to eat soup from",),
        ),
    ),
    _entry(
        "plate",
        (("plate", "dinner plate"), ("flat plate",)),
        (
            ("flat round dish", "flat dish to serve dinner on"),
            ("flat dish for dinner",),
        ),
    ),
    _entry(
        "candle",
        (("candle",), ("burning candle",)),
        (
            ("thing with a flame", "thing made of wax"),
            ("thing made of wax with a flame",),
        ),
    ),
    _entry(
        "teapot",
        (("teapot", "tea pot"), ("pot of tea",)),
        (
            ("pot with a spout", "thing with a lid to pour tea from"),
            ("thing with a spout to pour tea from",),
        ),
    ),
    _entry(
        "book",
        (("book",), ("story book",)),
        (
            ("thing with many pages to read", "thing with a cover and pages"),
            ("thing with pages to read",),
        ),
    ),
    _entry(
        "pen",
        (("pen", "marker"), ("marker pen",)),
        (
            ("tool to write with", "thin thing filled with ink"),
            ("thin tool with ink",),
        ),
    ),
    _entry(
        "scissors",
        (("scissors",), ("pair of scissors",)),
        (
            ("tool with two blades", "sharp tool to cut with"),
            ("sharp tool with two blades",),
        ),
    ),
    _entry(
        "glasses",
        (("sunglasses", "glasses"), ("pair of glasses",)),
        (
            ("thing with two dark lenses", "thing to wear on the nose"),
            ("thing with dark lenses for the nose",),
        ),
    ),
    _entry(
        "keys",
        (("keys", "bunch of keys"), ("house keys",)),
        (
            ("metal things on a ring", "things that open a lock"),
            ("metal things that open a lock",),
        ),
    ),
    _entry(
        "plant",
        (("plant", "potted plant"), ("green plant",)),
        (
            ("thing with leaves in a pot", "living thing that needs water"),
            ("living thing with leaves",),
        ),
    ),
    _entry(
        "clock",
        (("clock", "alarm clock"), ("ringing alarm clock",)),
        (
            ("thing with a dial and two hands", "device that shows the time"),
            ("device with a dial that shows the time",),
        ),
    ),
    _entry(
        "ball",
        (("ball", "beach ball"), ("toy ball",)),
        (
            ("round toy with white panels", "toy that can be thrown and caught"),
            ("round toy that can be thrown",),
        ),
    ),
    _entry(
        "box",
        (("box", "parcel", "cardboard box"), ("cardboard parcel",)),
        (
            ("thing closed with tape", "thing made of cardboard"),
            ("cardboard thing closed with tape",),
        ),
    ),
    _entry(
        "teddy",
        (("teddy bear", "teddy"), ("toy bear",)),
        (
            ("soft toy with round ears", "soft animal"),
            ("soft animal with round ears",),
        ),
    ),
    _entry(
        "car",
        (("toy car", "car"), ("little toy car",)),
        (
            ("toy with four wheels", "small thing that can roll on wheels"),
            ("small toy with wheels",),
        ),
    ),
    _entry(
        "ball teddy car",
        (("toy",), ("toy for a child",)),
        ((), ()),
    ),
)

# Names that take "are": "where are the keys?".
PLURAL_NAMES = frozenset({"headphones", "scissors", "sunglasses", "glasses", "keys", "house keys"})

# What a colour may be said of when no kind is named.
ANYTHING = Wordings(("thing", "object"), ("item",))

RELATIONS: dict[str, Wordings] = {
    "left": Wordings(("left of",), ("to the left of",)),
    "right": Wordings(("right of",), ("to the right of",)),
    "front": Wordings(("in front of",), ("on the near side of",)),
    "behind": Wordings(("behind",), ("on the far side of",)),
    "nearest": Wordings(("nearest to",), ("closest to",)),
}


@dataclass(frozen=True)
class Wrapper:
    """A sentence around a noun phrase {x}. plural: its form for names that take "are"."""

    text: str
    plural: str | None = None

    def around(self, phrase: str, plural: bool) -> str:
        """The sentence about `phrase`."""
        text = self.plural if plural and self.plural is not None else self.text
        return text.replace("{x}", phrase)


WRAPPERS: dict[Split, tuple[Wrapper, ...]] = {
    "train": (
        Wrapper("{x}"),
        Wrapper("Give me {x}."),
        Wrapper("Where is {x}?", "Where are {x}?"),
        Wrapper("Pick up {x}."),
        Wrapper("Find {x}."),
        Wrapper("Can you find {x} in this image?"),
        Wrapper("Please bring me {x}."),
    ),
    "unseen": (
        Wrapper("Show me {x}."),
        Wrapper("Could you get me {x}?"),
        Wrapper("Look for {x}."),
        Wrapper("Please hand me {x}."),
    ),
}
