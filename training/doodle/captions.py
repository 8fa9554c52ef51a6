"""Scenes in words, many wordings: "cat", "a cat and two apples on grass", "two bees, at night"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from training.doodle.backgrounds import BACKGROUNDS, SIZE_PX
from training.doodle.data import COLOURS, Concept, said_by
from training.doodle.nouns import article, plural
from training.doodle.vocabulary import (
    ABOVE,
    BELOW,
    BESIDE,
    NO_THINGS,
    NUMBERS,
    PRAISE,
    SIDES,
    STYLES,
)


class Thing(Protocol):
    """What a caption has to know of an object: what it is, its colour, and where it stands."""

    @property
    def concept(self) -> Concept: ...

    @property
    def colour(self) -> str | None: ...

    @property
    def x(self) -> float: ...

    @property
    def y(self) -> float: ...


_RELATED_SHARE = 0.2
"""Of two things: how often a preposition joins them. While none did, "under" was a background."""
_SHUFFLED_SHARE = 0.15  # of sketched scenes: things are named in any order
_PLACED_SHARE = 0.12  # of sketched scenes in order: sides are said
_ASIDE_PX = 28  # off the middle: less is no side
_LIKELY_SHARE = 0.25  # of nouns that have one: a word that only the teachers know to mean it
_PRAISED_SHARE, _STYLED_SHARE = 0.06, 0.1
_LONGEST_STYLE = 14  # of them in a row: more than the places that words have


def of_no_thing() -> set[str]:
    """All that captions say of anything but things: words, phrases, what they are made of."""
    phrases = [phrase for background in BACKGROUNDS for phrase in background.phrases]
    return said_by([*NO_THINGS, *phrases, *COLOURS])


def relation(rng: np.random.Generator, first: Thing, second: Thing) -> str:
    """A preposition that holds between two things, read in this order."""
    across, down = second.x - first.x, second.y - first.y
    words = BESIDE if abs(across) >= abs(down) else ABOVE if down > 0 else BELOW
    return words[rng.integers(len(words))]


def name_object(rng: np.random.Generator, thing: Thing, has_sketch: bool) -> str:
    """A noun phrase for an object: a name or synonym, sometimes with its colour."""
    concept = thing.concept
    noun = concept.name
    draw = rng.random()
    if has_sketch and concept.sketch_only_names and draw < 0.35:
        noun = concept.sketch_only_names[0]
    elif concept.synonyms and draw > 0.65:
        noun = concept.synonyms[rng.integers(len(concept.synonyms))]
    noun = likely(rng, concept) or noun
    if thing.colour and (not has_sketch or rng.random() < 0.7):
        noun = f"{thing.colour} {noun}"
    return praised(rng, noun)


def likely(rng: np.random.Generator, concept: Concept) -> str:
    """Now and then a word that may stand for a concept, mostly nothing."""
    names = concept.likely_names
    return names[rng.integers(len(names))] if names and rng.random() < _LIKELY_SHARE else ""


def praised(rng: np.random.Generator, noun: str) -> str:
    """A noun, now and then with an adjective that nothing shows."""
    if rng.random() < _PRAISED_SHARE:
        return f"{PRAISE[rng.integers(len(PRAISE))]} {noun}"
    return noun


def style(rng: np.random.Generator) -> str:
    """What follows a caption: mostly nothing, else one or more of `STYLES`."""
    if rng.random() >= _STYLED_SHARE:
        return ""
    num = int(rng.integers(1, 4 if rng.random() < 0.7 else _LONGEST_STYLE + 1))
    return "".join(f", {STYLES[i]}" for i in rng.integers(0, len(STYLES), num))


@dataclass(frozen=True)
class Caption:
    """A text, and which of its nouns, counted from 0, names each thing."""

    text: str
    nouns: tuple[int, ...]


def write_caption(
    rng: np.random.Generator,
    things: Sequence[Thing],
    phrase: str,
    has_sketch: bool,
    side: int | None = None,
) -> Caption:
    """Name the objects, mostly from left to right, and the background phrase, in many wordings.

    Args:
        rng: the only source of randomness.
        things: up to four.
        phrase: of the background; empty says nothing of it.
        has_sketch: a sketch shows the layout. Without one the order says who stands left, and
            no thing's colour is left unsaid.
        side: of one thing that stands aside: 0 left, 1 right.
    """
    order = sorted(range(len(things)), key=lambda index: things[index].x)
    is_in_order = not has_sketch or rng.random() >= _SHUFFLED_SHARE
    if not is_in_order:
        rng.shuffle(order)
    groups = _alike(things, order)
    nouns = [name_object(rng, things[group[0]], has_sketch) for group in groups]
    is_bare = rng.random() < 0.4
    parts = [_counted(noun, len(group), is_bare) for noun, group in zip(nouns, groups, strict=True)]
    is_single = len(groups) == len(things)
    says_places = has_sketch and rng.random() < _PLACED_SHARE
    if says_places and is_in_order and is_single and len(parts) > 1:
        if [_side(things[order[0]]), _side(things[order[-1]])] == [0, 1]:
            parts[0], parts[-1] = f"{parts[0]} {SIDES[0]}", f"{parts[-1]} {SIDES[1]}"
    elif says_places and len(things) == 1:
        side = _side(things[0])
    if side is not None:
        parts[0] = f"{parts[0]} {SIDES[side]}"
    joint = " and " if rng.random() < 0.8 or not has_sketch else ", "
    if len(things) == 2 and is_single and not says_places and rng.random() < _RELATED_SHARE:
        joint = f" {relation(rng, *(things[index] for index in order))} "
    text = joint.join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
    text = (_with_background(rng, text, phrase) + style(rng)).removeprefix(", ")
    turn = {index: turn for turn, group in enumerate(groups) for index in group}
    return Caption(text, tuple(turn[index] for index in range(len(things))))


def _side(thing: Thing) -> int | None:
    """Where it stands: 0 left, 1 right, None near the middle."""
    off = thing.x - SIZE_PX / 2
    return None if abs(off) < _ASIDE_PX else int(off > 0)


def _alike(things: Sequence[Thing], order: Sequence[int]) -> list[list[int]]:
    """Indices of the things in this order; those that one noun names are together."""
    groups: dict[tuple[int, str | None], list[int]] = {}
    for index in order:
        thing = things[index]
        groups.setdefault((thing.concept.index, thing.colour), []).append(index)
    return list(groups.values())


def _counted(noun: str, num: int, is_bare: bool) -> str:
    """ "a cat", "cat" if bare, "two cats"."""
    if num > 1:
        return f"{NUMBERS[num]} {plural(noun)}"
    return noun if is_bare else f"{article(noun)} {noun}"


def _with_background(rng: np.random.Generator, text: str, phrase: str) -> str:
    if not text or not phrase:
        return text + phrase
    comma = ", " if rng.random() < 0.5 or "background" in phrase else " "
    return text + comma + phrase
