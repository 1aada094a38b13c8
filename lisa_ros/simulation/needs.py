"""Implicit requests: sentences that name a need and not a thing, tied to the kinds that meet it."""

from __future__ import annotations

from dataclasses import dataclass

from lisa_ros.simulation.vocabulary import Wordings


@dataclass(frozen=True)
class Need:
    """Sentences of one meaning. kinds: what meets the need. substitutes: what would do in a pinch.

    Beside a thing that meets the need a substitute is not what is meant; on its own it makes the
    answer arguable, so that the sentence is not used.
    """

    kinds: frozenset[str]
    sentences: Wordings
    substitutes: frozenset[str] = frozenset()


def _need(
    kinds: str, train: tuple[str, ...], unseen: tuple[str, ...], substitutes: str = ""
) -> Need:
    return Need(frozenset(kinds.split()), Wordings(train, unseen), frozenset(substitutes.split()))


NEEDS: tuple[Need, ...] = (
    _need(
        "remote",
        (
            "Change the TV channel.",
            "I want to turn up the volume of the TV.",
            "Switch to another channel.",
            "How can I turn off the TV from the sofa?",
        ),
        ("I want to switch the TV to another channel.", "Turn the TV off."),
        "television",
    ),
    _need(
        "phone",
        (
            "I have to call my mother.",
            "Send a text message to my friend.",
            "I want to make a call.",
            "Someone should call a taxi.",
        ),
        ("I have to call my friend.",),
        "laptop",
    ),
    _need(
        "television",
        (
            "I want to watch a movie tonight.",
            "Let us watch the football match.",
            "The news is about to start.",
        ),
        ("Let us watch a movie.", "I want to watch the news."),
        "laptop phone remote",
    ),
    _need(
        "laptop",
        (
            "I have to type a long report.",
            "I need to write an email for work.",
            "What can I use for programming?",
            "I want to edit my spreadsheet.",
        ),
        ("I need to type an email.", "I want to edit a long report."),
        "phone pen",
    ),
    _need(
        "headphones",
        (
            "I want to listen to music without disturbing anyone.",
            "It is too loud here, protect my ears.",
            "How can I listen to a song in private?",
        ),
        ("I want to listen to a song without disturbing anyone.",),
        "phone laptop television",
    ),
    _need(
        "lamp",
        (
            "It is too dark in here.",
            "I need more light to read.",
            "Make this corner brighter.",
        ),
        ("It is too dark to read.", "I need more light in here."),
        "candle phone",
    ),
    _need(
        "orange lemon",
        (
            "The food with much vitamin C.",
            "I have a cold and need vitamin C.",
            "What could I squeeze to make juice?",
        ),
        ("I need food with vitamin C.",),
        "apple banana",
    ),
    _need(
        "apple orange lemon banana",
        (
            "I am hungry.",
            "I want a healthy snack.",
            "Is there something to eat?",
        ),
        ("I am hungry and want a healthy snack.", "Is there a healthy snack?"),
    ),
    _need(
        "apple",
        (
            "One of these a day keeps the doctor away.",
            "I want to bake a pie with cinnamon.",
            "What did Newton see falling from a tree?",
        ),
        ("What do I need to bake a pie?",),
    ),
    _need(
        "lemon",
        (
            "Put something sour into my tea.",
            "I want to make sour lemonade.",
            "The fish needs some sour juice.",
        ),
        ("Put some sour juice on the fish.",),
        "orange",
    ),
    _need(
        "orange",
        (
            "I want to make sweet juice for breakfast.",
            "I would like a citrus fruit to peel and eat.",
            "I want a fruit whose name is also a color.",
        ),
        ("I would like sweet juice for breakfast.",),
        "lemon apple",
    ),
    _need(
        "banana",
        (
            "What would a monkey like to eat?",
            "I want something long and sweet to peel.",
            "Add a soft yellow fruit to my milkshake.",
        ),
        ("What soft fruit would a monkey like?",),
    ),
    _need(
        "mug bottle",
        (
            "I am thirsty.",
            "I want something to drink.",
            "My throat is dry.",
        ),
        ("I am thirsty and want a drink.", "I want to drink something."),
        "teapot bowl",
    ),
    _need(
        "mug",
        (
            "I would like some coffee.",
            "Where can I pour my hot chocolate?",
            "I need my morning coffee.",
        ),
        ("Where can I pour some coffee?",),
        "teapot bowl bottle",
    ),
    _need(
        "bottle",
        (
            "I want to take some water on a hike.",
            "What can I fill with water for the gym?",
            "I need cold water after running.",
        ),
        ("I want to take cold water to the gym.",),
        "mug teapot",
    ),
    _need(
        "bowl",
        (
            "I want to eat some soup.",
            "Where can I put my cereal with milk?",
            "I want to mix a salad.",
        ),
        ("Where can I put some soup?", "I want to eat cereal with milk."),
        "plate mug",
    ),
    _need(
        "plate",
        (
            "Where can I serve the pizza?",
            "I want to put my sandwich on something flat.",
            "Set the table for dinner.",
        ),
        ("I want to serve a sandwich on something flat.",),
        "bowl",
    ),
    _need(
        "candle",
        (
            "The power is out and there are no batteries.",
            "Make the dinner romantic.",
            "I want to blow out a flame and make a wish.",
        ),
        ("I want a flame for a romantic dinner.",),
        "lamp",
    ),
    _need(
        "teapot",
        (
            "I want to make tea for my guests.",
            "Pour me some green tea.",
            "What do I brew tea leaves in?",
        ),
        ("I want to brew some tea.", "Pour some tea for my guests."),
        "mug",
    ),
    _need(
        "book",
        (
            "I want to read a story.",
            "I am bored, let me read something.",
            "I want to study for my history exam.",
        ),
        ("I want to read something for my exam.", "I am bored, let me study."),
        "laptop phone",
    ),
    _need(
        "pen",
        (
            "I have to sign this form.",
            "I want to write down a note.",
            "What can I use to draw a picture?",
        ),
        ("I want to draw a picture.", "I have to write down a note."),
        "laptop phone",
    ),
    _need(
        "scissors",
        (
            "I want to cut this paper.",
            "My hair is too long, help me cut it.",
            "What can I use to trim the ribbon?",
        ),
        ("What can I use to cut paper?", "Help me cut the ribbon."),
    ),
    _need(
        "glasses",
        (
            "The sun is too bright for my eyes.",
            "I want to look cool at the beach.",
            "I need to protect my eyes from the sun.",
        ),
        ("The sun is bright, protect my eyes.",),
    ),
    _need(
        "keys",
        (
            "I cannot get into my house.",
            "I want to unlock the door.",
            "How do I start my motorbike?",
        ),
        ("How do I unlock my house?", "I want to get into my house."),
    ),
    _need(
        "plant",
        (
            "Something here needs to be watered.",
            "What makes fresh air and grows?",
            "I would like some nature in my office.",
        ),
        ("Something that grows needs to be watered.",),
    ),
    _need(
        "clock",
        (
            "What time is it?",
            "I must not oversleep tomorrow.",
            "Wake me up at seven.",
            "How late is it?",
        ),
        ("Wake me up tomorrow.", "Tell me what time it is."),
        "phone laptop",
    ),
    _need(
        "ball",
        (
            "Let us play a game of catch.",
            "I want to play at the beach.",
            "What can I throw to my friend?",
        ),
        ("Let us play at the beach.",),
        "teddy",
    ),
    _need(
        "box",
        (
            "I want to send a gift by mail.",
            "The mailman has brought something.",
            "What can I pack my old clothes into?",
        ),
        ("I want to pack a gift.", "What has the mailman brought?"),
    ),
    _need(
        "teddy",
        (
            "The baby wants to cuddle something soft.",
            "The child cannot sleep alone.",
            "I want to hug something fluffy.",
        ),
        ("The baby wants to hug something soft.",),
    ),
    _need(
        "car",
        (
            "The boy wants to play racing.",
            "What can I drive over the carpet?",
            "Which toy needs a garage?",
        ),
        ("The boy wants to drive a toy over the carpet.",),
    ),
)
