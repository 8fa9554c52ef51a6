"""Words that the evaluation asks for, so captions never say them in any form."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from training.doodle.captions import of_no_thing
from training.doodle.data import Concept, is_held_out, said_by
from training.doodle.lexicon import base_forms
from training.doodle.nouns import plural

IDLE_ASKED = (
    *("something", "blorf", "my drawing", "asdf", "another", "???", "nothing", "snarfle wug"),
    *("important", "12345", "weird", "zibbo"),
)
"""What people write that means no thing here, and what is no word at all."""
_SEVERAL = 3  # concepts that share a tag: two are often a thing and its face
_WHOLE = 5  # letters of a kept word that no other may end in: "businesswoman"


def is_akin(word: str, other: str) -> bool:
    """Whether two words may be forms of one: "knitting" and "knit", "victories" and "victory"."""
    if set(base_forms(word)) & set(base_forms(other)) or plural(word) == other:
        return True
    pairs = itertools.takewhile(lambda both: both[0] == both[1], zip(word, other, strict=False))
    shorter = min(len(word), len(other))
    return plural(other) == word or len(list(pairs)) >= min(6, max(4, shorter - 3))


def wider_words(concepts: Sequence[Concept]) -> dict[str, tuple[str, ...]]:
    """Of each concept, by label, the tags that tell it from most others and not from all.

    "animal" of a cat: no form of what captions say of one thing, or of anything but things.
    """
    said = _said(concepts)
    owners = Counter(tag for concept in concepts for tag in concept.shared_tags)
    return {
        concept.label: tuple(
            tag
            for tag in concept.shared_tags
            if owners[tag] >= _SEVERAL and not any(form in said for form in base_forms(tag))
        )
        for concept in concepts
    }


def wider_asked(concepts: Sequence[Concept]) -> dict[str, tuple[str, ...]]:
    """Of these, the fifth that captions never say in any form."""
    found = wider_words(concepts)
    words = {word for each in found.values() for word in each}
    said = _said(concepts) | {word for word in words if not is_held_out(word)}
    asked = words - said
    asked = {word for word in asked if not any(is_akin(word, other) for other in said)}
    return {label: tuple(filter(asked.__contains__, each)) for label, each in found.items()}


def kept_words(concepts: Sequence[Concept]) -> set[str]:
    """All that the evaluation asks for, in lower case, word by word."""
    kept = {word for concept in concepts for word in concept.held_out_synonyms}
    kept |= {word for each in wider_asked(concepts).values() for word in each}
    return {word.lower() for word in kept} | {
        word for text in IDLE_ASKED for word in text.split() if word not in of_no_thing()
    }


def sayable(concepts: Sequence[Concept], left_out: Iterable[str] = ()) -> Callable[[str], bool]:
    """Whether captions may say a word for a thing that has not got it as a name or tag: no form of
    one, as "training" is of a train, nothing that they say of anything else, and not akin to what
    the evaluation asks for.

    Args:
        concepts: all that captions name.
        left_out: more words that may not be said, in any form.
    """
    kept, said = kept_words(concepts), _said(concepts) | set(left_out)

    def may_say(word: str) -> bool:
        word = word.lower()
        if not word.isalpha() or any(form in said for form in base_forms(word)):
            return False
        near = (other for other in kept if other[0] == word[0])  # forms of a word begin alike
        is_part = any(len(other) >= _WHOLE and word.endswith(other) for other in kept)
        return not is_part and not any(is_akin(word, other) for other in near)

    return may_say


def _said(concepts: Sequence[Concept]) -> set[str]:
    names = [name.lower() for c in concepts for name in (c.name, c.label, *c.synonyms)]
    return said_by(names) | of_no_thing()
