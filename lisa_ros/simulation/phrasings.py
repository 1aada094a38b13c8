"""All the wordings of a split as sentences.

For making a tokenizer, and for proving that the splits are disjoint.
"""

from __future__ import annotations

from lisa_ros.simulation.kinds import KINDS
from lisa_ros.simulation.needs import NEEDS
from lisa_ros.simulation.requests import casual
from lisa_ros.simulation.sentences import ANYTHING, RELATIONS, WRAPPERS, is_plural
from lisa_ros.simulation.vocabulary import ENTRIES
from lisa_ros.simulation.wordings import Split


def all_phrasings(split: Split) -> list[str]:
    """Distinct sentences that hold every wording of `split` and every wrapper around every name.

    Each is there also as it is typed casually. Not every sentence that can be drawn is listed (a
    relation joins any two names), but every word is.
    """
    sentences = [sentence for need in NEEDS for sentence in need.all_sentences().of(split)]
    for phrase, head in _noun_phrases(split):
        sentences += [wrapper.around(phrase, is_plural(head)) for wrapper in WRAPPERS[split]]
    return list(dict.fromkeys([*sentences, *map(casual, sentences)]))


def _noun_phrases(split: Split) -> list[tuple[str, str]]:
    """(phrase, its noun): names, descriptions, colours with nouns, relations between neighbours."""
    phrases = []
    names = [name for entry in ENTRIES for name in entry.names.of(split)]
    for entry in ENTRIES:
        phrases += [(f"the {wording}", wording) for wording in entry.names.of(split)]
        phrases += [(f"the {wording}", wording) for wording in entry.descriptions.of(split)]
        for kind in entry.kinds if len(entry.kinds) == 1 else ():
            phrases += [
                (f"the {color} {name}", name)
                for color in KINDS[kind].colors
                for name in entry.names.of(split)
            ]
    colors = sorted({color for spec in KINDS.values() for color in spec.colors})
    phrases += [(f"the {color} {noun}", noun) for color in colors for noun in ANYTHING.of(split)]
    for wordings in RELATIONS.values():
        for wording in wordings.of(split):
            phrases += [
                (f"the {name} {wording} the {other}", name)
                for name, other in zip(names, names[7:] + names[:7], strict=True)
            ]
    return phrases
