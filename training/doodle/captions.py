"""Scenes in words, many wordings: "cat", "a cat and an apple on grass", "two bees, at night"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from training.doodle.data import Concept


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


BESIDE = ("next to", "beside", "near", "with")
ABOVE = ("above", "over", "on top of")
BELOW = ("under", "below", "beneath")
_RELATED_SHARE = 0.2
"""Of two things: how often a preposition joins them. While none did, "under" was a background."""


def relation(rng: np.random.Generator, first: Thing, second: Thing) -> str:
    """A preposition that holds between two things, read in this order."""
    across, down = second.x - first.x, second.y - first.y
    words = BESIDE if abs(across) >= abs(down) else ABOVE if down > 0 else BELOW
    return words[rng.integers(len(words))]


def article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun if noun.endswith("s") else f"{noun}es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def name_object(rng: np.random.Generator, thing: Thing, has_sketch: bool) -> str:
    """A noun phrase for an object: a name or synonym, sometimes with its colour."""
    concept = thing.concept
    noun = concept.name
    draw = rng.random()
    if has_sketch and concept.sketch_only_names and draw < 0.35:
        noun = concept.sketch_only_names[0]
    elif concept.synonyms and draw > 0.65:
        noun = concept.synonyms[rng.integers(len(concept.synonyms))]
    if thing.colour and (not has_sketch or rng.random() < 0.7):
        noun = f"{thing.colour} {noun}"
    return noun


@dataclass(frozen=True)
class Caption:
    """A text, and which of its nouns, counted from 0, names each thing."""

    text: str
    nouns: tuple[int, ...]


def write_caption(
    rng: np.random.Generator, things: Sequence[Thing], phrase: str, has_sketch: bool
) -> Caption:
    """Name the objects, mostly from left to right, and the background phrase, in many wordings.

    Args:
        rng: the only source of randomness.
        things: one to four.
        phrase: of the background; empty says nothing of it.
        has_sketch: a sketch shows the layout. Without one the order says who stands left, and
            nothing is left unsaid.
    """
    order = sorted(range(len(things)), key=lambda index: things[index].x)
    is_in_order = not has_sketch or rng.random() >= 0.25
    if not is_in_order:
        rng.shuffle(order)
    nouns = [name_object(rng, things[index], has_sketch) for index in order]
    style = rng.random()
    is_plural = len(set(nouns)) == 1 and len(nouns) > 1
    if is_plural:
        text = f"{('', '', 'two', 'three', 'four')[len(nouns)]} {plural(nouns[0])}"
    else:
        parts = [noun if style < 0.4 else f"{article(noun)} {noun}" for noun in nouns]
        says_places = has_sketch and len(parts) > 1 and rng.random() < 0.12
        if says_places and is_in_order:
            sides = ("on the left", "on the right")
            parts[0], parts[-1] = f"{parts[0]} {sides[0]}", f"{parts[-1]} {sides[1]}"
        joint = " and " if rng.random() < 0.8 or not has_sketch else ", "
        if len(parts) == 2 and not says_places and rng.random() < _RELATED_SHARE:
            joint = f" {relation(rng, *(things[index] for index in order))} "
        text = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + joint + parts[-1]
    if phrase:
        comma = ", " if rng.random() < 0.5 or "background" in phrase else " "
        text = f"{text}{comma}{phrase}"
    return Caption(text, tuple(0 if is_plural else order.index(i) for i in range(len(things))))
