"""Implicit requests: sentences that name a need and not a thing, tied to the kinds that meet it."""

from __future__ import annotations

from dataclasses import dataclass

from lisa_ros.simulation.sentences import OPENINGS
from lisa_ros.simulation.wordings import Wordings, listed


@dataclass(frozen=True)
class Need:
    """What one may say who needs a thing. kinds: what meets the need.

    sentences: whole ones. activities: what one would do with it, for each of the openings (training
    only). substitutes: what would do in a pinch; beside a thing that meets the need a substitute is
    not what is meant; on its own it makes the answer arguable, so that the sentence is not used.
    """

    kinds: frozenset[str]
    sentences: Wordings
    activities: tuple[str, ...]
    substitutes: frozenset[str] = frozenset()

    def all_sentences(self) -> Wordings:
        """The sentences, with every activity after every opening."""
        said = [opening.replace("{a}", a) for a in self.activities for opening in OPENINGS]
        return Wordings((*self.sentences.train, *said), self.sentences.unseen)


def _need(
    kinds: str,
    train: tuple[str, ...],
    activities: str,
    unseen: tuple[str, ...],
    substitutes: str = "",
) -> Need:
    """Activities are separated by commas, kinds by spaces."""
    return Need(
        frozenset(kinds.split()),
        Wordings(train, unseen),
        listed(activities),
        frozenset(substitutes.split()),
    )


NEEDS: tuple[Need, ...] = (
    _need(
        "remote",
        (
            "Change the TV channel.",
            "I want to turn up the volume of the TV.",
            "Switch to another channel.",
            "How can I turn off the TV from the sofa?",
            "The TV is too loud.",
            "Turn the volume of the television down.",
            "Turn off the television.",
        ),
        "switch channels, switch the television on, turn the volume down, change the channel, "
        "change what the TV shows, turn on the TV from here, see what is on another channel",
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
            "My mother is waiting for my call.",
            "Call the doctor.",
        ),
        "call my father, call the doctor, text my sister, ring up my brother, make a phone call, "
        "send a short message to my mother, talk to my friend who is far away, order a taxi",
        ("I have to call my friend.",),
        "laptop",
    ),
    _need(
        "television",
        (
            "I want to watch a movie tonight.",
            "Let us watch the football match.",
            "The news is about to start.",
            "Let us see a film together.",
            "My favourite show is about to start.",
        ),
        "watch a film, see the football match, watch the evening news, follow the match, "
        "watch my favourite show, see the news on a big screen",
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
            "My report is not finished yet.",
            "I must work on my emails.",
        ),
        "type a letter, write a computer program, edit a report, answer my emails, "
        "work on my spreadsheet, write a long email, type my report, do some programming",
        ("I need to type an email.", "I want to edit a long report."),
        "phone pen",
    ),
    _need(
        "headphones",
        (
            "I want to listen to music without disturbing anyone.",
            "It is too loud here, protect my ears.",
            "How can I listen to a song in private?",
            "Nobody else should hear my music.",
            "The noise hurts my ears.",
        ),
        "listen to a song, hear music in private, listen without disturbing my neighbors, "
        "hear my favourite song, enjoy some music without disturbing anyone, protect my ears",
        ("I want to listen to a song without disturbing anyone.",),
        "phone laptop television",
    ),
    _need(
        "lamp",
        (
            "It is too dark in here.",
            "I need more light to read.",
            "Make this corner brighter.",
            "It is getting dark.",
            "There is not enough light here.",
            "I cannot see in the dark.",
        ),
        "see better in the dark, get more light, make the room brighter, light up this corner, "
        "read in the dark, have a bright desk",
        ("It is too dark to read.", "I need more light in here."),
        "candle phone",
    ),
    _need(
        "orange lemon",
        (
            "The food with much vitamin C.",
            "I have a cold and need vitamin C.",
            "What could I squeeze to make juice?",
            "Vitamin C would help my cold.",
            "Which food has vitamin C?",
        ),
        "squeeze some juice, get some vitamin C, eat food with much vitamin C, "
        "eat something against my cold",
        ("I need food with vitamin C.",),
        "apple banana",
    ),
    _need(
        "apple orange lemon banana",
        (
            "I am hungry.",
            "I want a healthy snack.",
            "Is there something to eat?",
            "I am very hungry and need food.",
            "My stomach is empty.",
            "A snack would be nice.",
        ),
        "eat something, have a snack, eat something healthy, find some food, get a healthy bite",
        ("I am hungry and want a healthy snack.", "Is there a healthy snack?"),
    ),
    _need(
        "apple",
        (
            "One of these a day keeps the doctor away.",
            "I want to bake a pie with cinnamon.",
            "What did Newton see falling from a tree?",
            "It fell from a tree when Newton sat there.",
        ),
        "bake a cinnamon pie, make a pie, bake something with cinnamon, keep the doctor away",
        ("What do I need to bake a pie?",),
    ),
    _need(
        "lemon",
        (
            "Put something sour into my tea.",
            "I want to make sour lemonade.",
            "The fish needs some sour juice.",
            "My tea should taste sour.",
        ),
        "make lemonade, make my tea sour, put some sour juice into my tea, "
        "put something sour on the fish, taste something sour",
        ("Put some sour juice on the fish.",),
        "orange",
    ),
    _need(
        "orange",
        (
            "I want to make sweet juice for breakfast.",
            "I would like a citrus fruit to peel and eat.",
            "I want a fruit whose name is also a color.",
            "Sweet juice would be nice for breakfast.",
        ),
        "make sweet juice, drink sweet juice for breakfast, peel a sweet citrus fruit, "
        "squeeze sweet juice for breakfast",
        ("I would like sweet juice for breakfast.",),
        "lemon apple",
    ),
    _need(
        "banana",
        (
            "What would a monkey like to eat?",
            "I want something long and sweet to peel.",
            "Add a soft yellow fruit to my milkshake.",
            "The monkey is hungry.",
            "Which soft fruit is good for a milkshake?",
        ),
        "feed the monkey, make a milkshake, give a monkey its fruit, peel something long, "
        "put soft fruit into the milkshake",
        ("What soft fruit would a monkey like?",),
    ),
    _need(
        "mug bottle",
        (
            "I am thirsty.",
            "I want something to drink.",
            "My throat is dry.",
            "I am very thirsty.",
            "A drink would be nice.",
            "My mouth is dry and I want a drink.",
        ),
        "have a drink, drink a little, get something to drink, do something against my thirst",
        ("I am thirsty and want a drink.", "I want to drink something."),
        "teapot bowl",
    ),
    _need(
        "mug",
        (
            "I would like some coffee.",
            "Where can I pour my hot chocolate?",
            "I need my morning coffee.",
            "Where can I pour my coffee?",
            "I am tired and need some coffee.",
        ),
        "drink some coffee, have a hot chocolate, pour some hot chocolate, "
        "drink my morning coffee, have a sip of coffee",
        ("Where can I pour some coffee?",),
        "teapot bowl bottle",
    ),
    _need(
        "bottle",
        (
            "I want to take some water on a hike.",
            "What can I fill with water for the gym?",
            "I need cold water after running.",
            "I need some water for my hike.",
            "There should be cold water for the hike.",
        ),
        "take water on a trip, take something to drink to the gym, drink cold water after running, "
        "fill in some water for the hike, carry water to the gym",
        ("I want to take cold water to the gym.",),
        "mug teapot",
    ),
    _need(
        "bowl",
        (
            "I want to eat some soup.",
            "Where can I put my cereal with milk?",
            "I want to mix a salad.",
            "Where can I put my salad?",
            "The soup is ready.",
        ),
        "eat soup, eat my cereal, have some cereal with milk, mix some salad, "
        "put milk on my cereal, serve the soup",
        ("Where can I put some soup?", "I want to eat cereal with milk."),
        "plate mug",
    ),
    _need(
        "plate",
        (
            "Where can I serve the pizza?",
            "I want to put my sandwich on something flat.",
            "Set the table for dinner.",
            "The pizza is ready.",
            "Where can I put my sandwich?",
        ),
        "serve dinner, put the pizza on something flat, serve my sandwich, eat a pizza, "
        "set the table, serve something for dinner",
        ("I want to serve a sandwich on something flat.",),
        "bowl",
    ),
    _need(
        "candle",
        (
            "The power is out and there are no batteries.",
            "Make the dinner romantic.",
            "I want to blow out a flame and make a wish.",
            "A small flame would be romantic.",
            "There is no power for the lights.",
        ),
        "have a romantic dinner, make the evening romantic, light a flame, blow out the flame, "
        "have some light without power, make a wish",
        ("I want a flame for a romantic dinner.",),
        "lamp",
    ),
    _need(
        "teapot",
        (
            "I want to make tea for my guests.",
            "Pour me some green tea.",
            "What do I brew tea leaves in?",
            "My guests would like some tea.",
            "The guests want hot tea.",
        ),
        "make tea, brew green tea, brew tea for my guests, pour tea for everybody, "
        "serve my guests some tea",
        ("I want to brew some tea.", "Pour some tea for my guests."),
        "mug",
    ),
    _need(
        "book",
        (
            "I want to read a story.",
            "I am bored, let me read something.",
            "I want to study for my history exam.",
            "My history exam is tomorrow.",
            "I am bored and like stories.",
        ),
        "read, read something, read a good story, study for my exam, learn something for the exam, "
        "study history, read the child a story",
        ("I want to read something for my exam.", "I am bored, let me study."),
        "laptop phone",
    ),
    _need(
        "pen",
        (
            "I have to sign this form.",
            "I want to write down a note.",
            "What can I use to draw a picture?",
            "This form needs my name.",
            "There is a note to write.",
        ),
        "sign a form, write a note, draw something, write down my name, draw a face, "
        "write a letter by hand, sign my name",
        ("I want to draw a picture.", "I have to write down a note."),
        "laptop phone",
    ),
    _need(
        "scissors",
        (
            "I want to cut this paper.",
            "My hair is too long, help me cut it.",
            "What can I use to trim the ribbon?",
            "The ribbon is too long.",
            "This paper must be cut in two.",
        ),
        "cut my hair, trim my hair, cut a ribbon, cut this in two, cut a piece of paper, "
        "trim the paper",
        ("What can I use to cut paper?", "Help me cut the ribbon."),
    ),
    _need(
        "glasses",
        (
            "The sun is too bright for my eyes.",
            "I want to look cool at the beach.",
            "I need to protect my eyes from the sun.",
            "The bright sun hurts my eyes.",
            "My eyes hurt in the sun.",
        ),
        "protect my eyes, look cool, look into the bright sun, keep the sun from my eyes, "
        "wear something cool at the beach",
        ("The sun is bright, protect my eyes.",),
    ),
    _need(
        "keys",
        (
            "I cannot get into my house.",
            "I want to unlock the door.",
            "How do I start my motorbike?",
            "My house is locked.",
            "The door is locked.",
        ),
        "unlock the house, open the door, get into the house, start the motorbike, "
        "open a locked door, unlock my motorbike",
        ("How do I unlock my house?", "I want to get into my house."),
    ),
    _need(
        "plant",
        (
            "Something here needs to be watered.",
            "What makes fresh air and grows?",
            "I would like some nature in my office.",
            "It should be watered and grows.",
            "My office needs some nature.",
        ),
        "have some nature here, water something that grows, bring nature into my office, "
        "have fresh air, give water to something living",
        ("Something that grows needs to be watered.",),
    ),
    _need(
        "clock",
        (
            "What time is it?",
            "I must not oversleep tomorrow.",
            "Wake me up at seven.",
            "How late is it?",
            "I do not know how late it is.",
            "I have to get up at seven tomorrow.",
            "Is it late?",
        ),
        "know what time it is, wake up at seven, wake up early tomorrow, know how late it is, "
        "get up in time, see the time",
        ("Wake me up tomorrow.", "Tell me what time it is."),
        "phone laptop",
    ),
    _need(
        "ball",
        (
            "Let us play a game of catch.",
            "I want to play at the beach.",
            "What can I throw to my friend?",
            "Let us play catch.",
            "My friend and I play at the beach.",
        ),
        "play catch, throw something to my friend, play a game at the beach, "
        "play a game with my friend, catch something round",
        ("Let us play at the beach.",),
        "teddy",
    ),
    _need(
        "box",
        (
            "I want to send a gift by mail.",
            "The mailman has brought something.",
            "What can I pack my old clothes into?",
            "What has come by mail?",
            "Something came from the mailman.",
        ),
        "pack my clothes, send something by mail, send a gift, pack some gifts, "
        "pack my old books, open what the mailman has brought",
        ("I want to pack a gift.", "What has the mailman brought?"),
    ),
    _need(
        "teddy",
        (
            "The baby wants to cuddle something soft.",
            "The child cannot sleep alone.",
            "I want to hug something fluffy.",
            "The baby cannot sleep.",
            "The child wants to hug something fluffy.",
        ),
        "cuddle something soft, hug something fluffy and soft, help the baby to sleep, "
        "cuddle with something fluffy, give the baby something soft",
        ("The baby wants to hug something soft.",),
    ),
    _need(
        "car",
        (
            "The boy wants to play racing.",
            "What can I drive over the carpet?",
            "Which toy needs a garage?",
            "The boy likes racing.",
            "Which toy can drive?",
        ),
        "play racing, drive something over the carpet, win a race on the carpet, "
        "drive a toy into the garage, play garage with the boy",
        ("The boy wants to drive a toy over the carpet.",),
    ),
)
