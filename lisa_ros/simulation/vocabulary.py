"""What things are called and how they are described."""

from __future__ import annotations

from dataclasses import dataclass

from lisa_ros.simulation.wordings import Wordings, listed


@dataclass(frozen=True)
class Entry:
    """The words for a set of kinds. names and descriptions are noun phrases without an article."""

    kinds: frozenset[str]
    names: Wordings
    descriptions: Wordings


def _entry(
    kinds: str,
    names: str,
    descriptions: str = "",
    *,
    unseen_names: str,
    unseen_descriptions: str = "",
) -> Entry:
    """Wordings are separated by commas, kinds by spaces."""
    return Entry(
        frozenset(kinds.split()),
        Wordings(listed(names), listed(unseen_names)),
        Wordings(listed(descriptions), listed(unseen_descriptions)),
    )


ENTRIES: tuple[Entry, ...] = (
    _entry(
        "remote",
        "remote control, remote, remote controller, TV control",
        "thing with buttons to control the TV, device that changes the channel, "
        "small device for the television, thing with many buttons, "
        "device to switch the television on and off, long thin device with buttons",
        unseen_names="TV remote",
        unseen_descriptions="device with buttons for the TV",
    ),
    _entry(
        "phone",
        "phone, mobile phone, cell phone, smart phone, mobile, telephone",
        "device to make calls with, small device with a touch screen, "
        "device that people carry in the pocket, thing to call somebody with, "
        "flat device with a small screen, device for messages and calls",
        unseen_names="smartphone",
        unseen_descriptions="small device to call people with",
    ),
    _entry(
        "television",
        "television, TV, TV screen, flat screen, television set",
        "big screen that shows movies, screen on a stand, device with a big screen, "
        "screen for films and news, large device for watching films, biggest screen",
        unseen_names="TV set",
        unseen_descriptions="big screen on a stand",
    ),
    _entry(
        "laptop",
        "laptop, notebook computer, computer, portable computer",
        "device with a keyboard and a screen, computer that can be folded, "
        "device for typing and programming, thing with a keyboard, computer to take along, "
        "folding device to work on",
        unseen_names="laptop computer",
        unseen_descriptions="computer with a keyboard",
    ),
    _entry(
        "headphones",
        "headphones, headset, earphones, pair of earphones",
        "thing to wear over the ears, device for listening to music, "
        "thing for both ears, device that plays songs into the ears, "
        "item for the head that plays music",
        unseen_names="pair of headphones",
        unseen_descriptions="thing for listening with both ears",
    ),
    _entry(
        "lamp",
        "lamp, table lamp, reading lamp, light, desk light",
        "thing with a shade that gives light, device that makes the room bright, "
        "thing that shines, device with a shade, thing for light on the desk, "
        "device to switch on when it is dark",
        unseen_names="desk lamp",
        unseen_descriptions="device that gives light",
    ),
    _entry(
        "apple",
        "apple, fresh apple, crunchy apple",
        "fruit with a stem and a leaf, crunchy fruit, ripe fruit for a pie, "
        "round fruit with a stem, round fruit that grows on a tree",
        unseen_names="ripe apple",
        unseen_descriptions="crunchy fruit with a stem",
    ),
    _entry(
        "orange",
        "orange, fresh orange, sweet orange",
        "round citrus fruit, citrus fruit for sweet juice, ripe citrus fruit that is sweet, "
        "sweet citrus fruit, round and sweet fruit for juice",
        unseen_names="ripe orange",
        unseen_descriptions="sweet and round citrus fruit",
    ),
    _entry(
        "lemon",
        "lemon, fresh lemon, sour lemon",
        "sour fruit, yellow citrus fruit, citrus fruit that is sour, "
        "ripe fruit that tastes sour, sour and yellow citrus fruit",
        unseen_names="ripe lemon",
        unseen_descriptions="sour yellow fruit",
    ),
    _entry(
        "banana",
        "banana, fresh banana, long banana",
        "long bent fruit, fruit that monkeys like, ripe fruit with a long shape, "
        "long yellow fruit, bent fruit to peel",
        unseen_names="ripe banana",
        unseen_descriptions="long fruit that monkeys like",
    ),
    _entry(
        "apple orange lemon banana",
        "fruit, piece of fruit, fresh piece of fruit, ripe fruit",
        unseen_names="fresh fruit",
    ),
    _entry(
        "mug",
        "mug, cup, coffee mug, drinking cup, tea cup",
        "thing with a handle to drink coffee from, container for hot coffee, "
        "small item with a handle, small container with a handle, container for hot chocolate, "
        "thing to drink tea from",
        unseen_names="coffee cup",
        unseen_descriptions="container with a handle for hot coffee",
    ),
    _entry(
        "bottle",
        "bottle, water bottle, flask, bottle of water",
        "tall container with a cap, container with a narrow neck, tall thing for water, "
        "container to take water along, tall and narrow container, thing with a neck and a cap",
        unseen_names="drinking bottle",
        unseen_descriptions="tall container with a narrow neck",
    ),
    _entry(
        "bowl",
        "bowl, soup bowl, cereal bowl, salad bowl",
        "round deep dish for soup, dish to eat cereal from, deep dish, deep round dish, "
        "dish for soup or cereal, deep thing to mix a salad in",
        unseen_names="deep bowl",
        unseen_descriptions="deep dish to eat soup from",
    ),
    _entry(
        "plate",
        "plate, dinner plate, round plate, plate for dinner",
        "flat round dish, flat dish to serve dinner on, flat dish, flat thing to eat from, "
        "dish for a pizza or a sandwich, flat and round dish",
        unseen_names="flat plate",
        unseen_descriptions="flat dish for dinner",
    ),
    _entry(
        "candle",
        "candle, wax candle, candle with a flame, romantic candle",
        "thing with a flame, thing made of wax, wax thing with a flame, burning thing, "
        "thing that gives light without power, wax thing that is burning",
        unseen_names="burning candle",
        unseen_descriptions="thing made of wax with a flame",
    ),
    _entry(
        "teapot",
        "teapot, tea pot, pot for tea, pot with tea",
        "pot with a spout, thing with a lid to pour tea from, thing with a spout, "
        "pot with a lid and a spout, item to brew tea in, pot to pour tea from",
        unseen_names="pot of tea",
        unseen_descriptions="thing with a spout to pour tea from",
    ),
    _entry(
        "book",
        "book, novel, book with a story, thick book",
        "thing with many pages to read, thing with a cover and pages, "
        "thing to read a story from, thing full of pages, item with a cover and many pages",
        unseen_names="story book",
        unseen_descriptions="thing with pages to read",
    ),
    _entry(
        "pen",
        "pen, marker, felt pen, pen with ink",
        "tool to write with, thin thing filled with ink, thin tool for writing, "
        "tool filled with ink, thin item to draw with, item for writing",
        unseen_names="marker pen",
        unseen_descriptions="thin tool with ink",
    ),
    _entry(
        "scissors",
        "scissors, paper scissors, cutting tool",
        "tool with two blades, sharp tool to cut with, tool for cutting paper, "
        "two sharp blades, sharp item for hair and paper, item with blades",
        unseen_names="pair of scissors",
        unseen_descriptions="sharp tool with two blades",
    ),
    _entry(
        "glasses",
        "sunglasses, glasses, sun glasses, pair of sunglasses",
        "thing with two dark lenses, thing to wear on the nose, dark lenses for the sun, "
        "thing for the eyes with dark lenses, thing that people wear in the sun, "
        "thing for the nose and the eyes",
        unseen_names="pair of glasses",
        unseen_descriptions="thing with dark lenses for the nose",
    ),
    _entry(
        "keys",
        "keys, bunch of keys, ring of keys, metal keys, keys of the house",
        "metal things on a ring, things that open a lock, small metal things, "
        "things to open the door with, things for the lock of the house",
        unseen_names="house keys",
        unseen_descriptions="metal things that open a lock",
    ),
    _entry(
        "plant",
        "plant, potted plant, plant in a pot, house plant, little plant",
        "thing with leaves in a pot, living thing that needs water, thing with leaves, "
        "item with leaves that grows, living thing in a pot, thing that grows leaves",
        unseen_names="green plant",
        unseen_descriptions="living thing with leaves",
    ),
    _entry(
        "clock",
        "clock, alarm clock, alarm, ringing clock",
        "thing with a dial and two hands, device that shows the time, thing that tells the time, "
        "device with hands and a dial, device that rings in the morning, item with a dial",
        unseen_names="ringing alarm clock",
        unseen_descriptions="device with a dial that shows the time",
    ),
    _entry(
        "ball",
        "ball, beach ball, ball for the beach, round ball, ball for a child",
        "round toy with white panels, toy that can be thrown and caught, round toy, "
        "toy to throw and catch, toy with panels, round toy that rolls",
        unseen_names="toy ball",
        unseen_descriptions="round toy that can be thrown",
    ),
    _entry(
        "box",
        "box, parcel, cardboard box, package, closed box",
        "thing closed with tape, thing made of cardboard, cardboard thing, "
        "package with tape, item made of cardboard, item that comes by mail",
        unseen_names="cardboard parcel",
        unseen_descriptions="cardboard thing closed with tape",
    ),
    _entry(
        "teddy",
        "teddy bear, teddy, bear, stuffed bear, soft bear",
        "soft toy with round ears, soft animal, toy to cuddle, fluffy animal, soft toy, "
        "animal with round ears, toy animal",
        unseen_names="toy bear",
        unseen_descriptions="soft animal with round ears",
    ),
    _entry(
        "car",
        "toy car, car, model car, little car, small toy car",
        "toy with four wheels, small thing that can roll on wheels, toy that can drive, "
        "toy with wheels, thing with four wheels, small toy to drive",
        unseen_names="little toy car",
        unseen_descriptions="small toy with wheels",
    ),
    _entry(
        "ball teddy car",
        "toy, toy to play with, toy of the child, something to play with",
        unseen_names="toy for a child",
    ),
)
