"""Nouns as captions need them: with an article, or several of them."""

from __future__ import annotations

_IRREGULAR = {
    "child": "children", "deer": "deer", "fish": "fish", "foot": "feet", "goose": "geese",
    "knife": "knives", "leaf": "leaves", "loaf": "loaves", "man": "men", "mouse": "mice",
    "ox": "oxen", "person": "people", "potato": "potatoes", "scarf": "scarves", "sheep": "sheep",
    "shelf": "shelves", "tomato": "tomatoes", "tooth": "teeth", "volcano": "volcanoes",
    "wolf": "wolves", "woman": "women",
}  # fmt: skip
_JOINING = ("with", "of", "in", "and", "on")
_ENDINGS = ("man", "person", "child", "fish", "mouse", "knife")
"""Of compounds that are one word: snowman, goldfish."""


def article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def plural(noun: str) -> str:
    """Of the last word before "with", "of" and the like: "hot dogs", "wolves", "bowls of rice";
    of a word that ends in s, the same."""
    words = noun.split(" ")
    end = next((i for i, word in enumerate(words) if i and word in _JOINING), len(words))
    return " ".join([*words[: end - 1], _plural(words[end - 1]), *words[end:]])


def _plural(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for ending in _ENDINGS:
        if word.endswith(ending) and word != "human":
            return word.removesuffix(ending) + _IRREGULAR[ending]
    if word.endswith("s"):
        return word
    if word.endswith(("x", "z", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}s"
