"""Sentences around a phrase: how one asks for a thing, and how one says what one would do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lisa_ros.simulation.wordings import Split, Wordings, listed

# What a colour may be said of when no kind is named.
ANYTHING = Wordings(("thing", "object"), ("item",))

RELATIONS: dict[str, Wordings] = {
    "left": Wordings(listed("left of, on the left side of, at the left of"), ("to the left of",)),
    "right": Wordings(
        listed("right of, on the right side of, at the right of"), ("to the right of",)
    ),
    "front": Wordings(
        listed("in front of, on the front side of, nearer than"), ("on the near side of",)
    ),
    "behind": Wordings(
        listed("behind, on the back side of, farther away than, far behind"),
        ("on the far side of",),
    ),
    "nearest": Wordings(
        listed("nearest to, next to, near, closest of all to, beside"), ("closest to",)
    ),
}

# Nouns that take "are": "where are the keys?".
_PLURALS = listed(
    "headphones, earphones, scissors, sunglasses, glasses, keys, things, lenses, blades"
)
_AFTER_THE_NOUN = re.compile(r" (?:of|on|in|with|that|to|for) ")


def is_plural(noun_phrase: str) -> bool:
    """Whether a noun phrase takes "are": the keys do, a bunch of keys does not."""
    return _AFTER_THE_NOUN.split(noun_phrase)[0].split()[-1] in _PLURALS


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
        Wrapper("I am looking for {x}."),
        Wrapper("I need {x}."),
        Wrapper("Could you bring {x} to me?"),
        Wrapper("Get {x} for me."),
        Wrapper("Show where {x} is.", "Show where {x} are."),
        Wrapper("Hand {x} over to me."),
        Wrapper("Please take {x}."),
        Wrapper("Could you look where {x} is?", "Could you look where {x} are?"),
        Wrapper("Tell me where {x} is.", "Tell me where {x} are."),
        Wrapper("Can you see {x}?"),
        Wrapper("I would like to have {x}."),
    ),
    "unseen": (
        Wrapper("Show me {x}."),
        Wrapper("Could you get me {x}?"),
        Wrapper("Look for {x}."),
        Wrapper("Please hand me {x}."),
    ),
}

# Around what somebody does ({a}: "call my mother"). Training only: an unseen need is a sentence of
# its own.
OPENINGS = (
    "I want to {a}.",
    "I have to {a}.",
    "I need to {a}.",
    "I would like to {a}.",
    "Let me {a}.",
    "Help me {a}.",
    "What can I use to {a}?",
    "What do I need to {a}?",
    "How can I {a}?",
    "It is time to {a}.",
    "My friend wants to {a}.",
    "Somebody has to {a}.",
)
