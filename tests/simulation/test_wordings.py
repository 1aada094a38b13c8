"""The two sets of wordings: complete, understood, and disjoint."""

import re

import numpy as np
import pytest

from lisa_ros.simulation.kinds import KINDS
from lisa_ros.simulation.language import normalised, parse
from lisa_ros.simulation.material import COLORS
from lisa_ros.simulation.needs import NEEDS
from lisa_ros.simulation.phrasings import all_phrasings
from lisa_ros.simulation.requests import sample_requests
from lisa_ros.simulation.sentences import ANYTHING, RELATIONS, WRAPPERS, is_plural
from lisa_ros.simulation.vocabulary import ENTRIES
from lisa_ros.simulation.wordings import SPLITS


def words(text: str) -> str:
    """Lower-case words between single spaces, with a space at both ends."""
    return " " + " ".join(re.sub(r"[^a-z]", " ", text.lower()).split()) + " "


def unseen_wordings() -> list[str]:
    atoms = [w for e in ENTRIES for w in (*e.names.unseen, *e.descriptions.unseen)]
    atoms += [sentence for need in NEEDS for sentence in need.sentences.unseen]
    atoms += [w for wordings in RELATIONS.values() for w in wordings.unseen]
    atoms += [f"{color} {noun}" for color in COLORS for noun in ANYTHING.unseen]
    return atoms + [wrapper.text.split("{x}")[0] for wrapper in WRAPPERS["unseen"]]


def test_no_sentence_is_in_both_splits():
    train, unseen = ({normalised(text) for text in all_phrasings(split)} for split in SPLITS)
    assert len(train) > 1000
    assert len(unseen) > 500
    assert not train & unseen


@pytest.mark.slow
def test_no_unseen_wording_occurs_in_any_training_sentence(many_rooms):
    drawn = [
        request.text
        for index, room in enumerate(many_rooms)
        for request in sample_requests(room, np.random.default_rng(index), 12, "train")
    ]
    corpus = "|".join(words(text) for text in (*all_phrasings("train"), *drawn))
    leaked = [wording for wording in unseen_wordings() if words(wording) in corpus]
    assert leaked == []


@pytest.mark.slow
def test_unseen_requests_use_no_training_sentence(many_rooms):
    train = {normalised(text) for text in all_phrasings("train")}
    for index, room in enumerate(many_rooms):
        for request in sample_requests(room, np.random.default_rng(index), 8, "unseen"):
            assert normalised(request.text) not in train


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_all_phrasings_hold_every_word_that_is_drawn(many_rooms, split):
    known = {word for text in all_phrasings(split) for word in words(text).split()}
    for index, room in enumerate(many_rooms):
        for request in sample_requests(room, np.random.default_rng(index), 8, split):
            assert set(words(request.text).split()) <= known


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_every_phrasing_is_understood(split):
    assert [text for text in all_phrasings(split) if parse(text) is None] == []


def test_every_kind_has_names_descriptions_and_needs_in_both_splits():
    for kind in KINDS:
        own = [entry for entry in ENTRIES if entry.kinds == {kind}]
        needs = [need for need in NEEDS if kind in need.kinds]
        assert len(own) == 1
        for split in SPLITS:
            assert own[0].names.of(split)
            assert own[0].descriptions.of(split)
            assert any(need.sentences.of(split) for need in needs)
        assert sum(len(need.sentences.train) for need in needs) >= 3


def test_no_wording_means_two_things():
    nouns = [
        normalised(w)
        for e in ENTRIES
        for s in SPLITS
        for w in (*e.names.of(s), *e.descriptions.of(s))
    ]
    sentences = [
        normalised(text) for need in NEEDS for s in SPLITS for text in need.all_sentences().of(s)
    ]
    assert len(set(nouns + sentences)) == len(nouns + sentences)


def test_unseen_words_are_words_of_training():
    known, asked = (
        {word for text in all_phrasings(split) for word in words(text).split()} for split in SPLITS
    )
    assert asked - known <= {"smartphone"}


@pytest.mark.parametrize(
    ("noun_phrase", "plural"),
    [
        ("keys", True),
        ("house keys", True),
        ("bunch of keys", False),
        ("keys of the house", True),
        ("metal things on a ring", True),
        ("thing with two dark lenses", False),
        ("ring", False),
    ],
)
def test_plural_nouns_take_are(noun_phrase, plural):
    assert is_plural(noun_phrase) == plural


def test_words_name_only_known_kinds():
    for entry in ENTRIES:
        assert entry.kinds <= set(KINDS)
    for need in NEEDS:
        assert need.kinds | need.substitutes <= set(KINDS)
        assert not need.kinds & need.substitutes


def test_the_sentence_that_the_model_side_adds_is_not_in_any_wording():
    for split in SPLITS:
        assert not any("segmentation" in text.lower() for text in all_phrasings(split))
