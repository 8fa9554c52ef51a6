"""Words that may stand for a thing although nobody calls it so: "pony", "lumber".

The teachers say which (`nearness`), and the dictionary that they are kin. While captions held names
and tags alone, the text encoder told the right canvas of many other words, and the denoiser painted
a blur: it had never seen a canvas behind a word like those.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import torch
from transformers import CLIPTokenizer

from training.doodle import run
from training.doodle.data import Concept
from training.doodle.kept import sayable
from training.doodle.lexicon import Lexicon
from training.doodle.nearness import Words
from training.doodle.words import Teacher

_SURE = 0.5  # of a thing's share of a word
_COMMON = 0.2  # the first 40,000 words, and what the vectors do not know
_KIN = 0.5  # of the link to the thing's name in the dictionary: the same, a kind, a part
_LEFT_OUT = frozenset(
    (
        *("girl", "coon", "foreigner", "outsider", "faith", "christianity", "protestant", "bible"),
        *("fetus", "contraceptive", "nuke", "characteristic", "groom", "hairstyle", "retraining"),
        *("president", "presidency", "professor", "professorship", "chairman", "chairmanship"),
        *("chairperson", "chairwoman", "leveling", "taiwan", "haiti"),
    )
)
"""True of the dictionary, and nothing that anybody would want to be painted so."""
_FILE = run.RUN_DIR / "likely.json"


def likely_names(
    words: Words, concepts: Sequence[Concept], lexicon: Lexicon
) -> list[tuple[str, ...]]:
    """Of each concept the single nouns that the teachers are sure of; no word is two concepts'."""
    may_say = sayable(concepts, _LEFT_OUT)
    found: list[list[str]] = [[] for _ in concepts]
    sure = (words.nearest.amax(-1) >= _SURE) & (words.common >= _COMMON)
    for row in torch.nonzero(sure)[:, 0].tolist():
        word = words.texts[row]
        if may_say(word) and lexicon.is_noun(word):
            found[int(words.nearest[row].argmax())].append(word)
    return [_kin(concept, each, lexicon) for concept, each in zip(concepts, found, strict=True)]


def _kin(concept: Concept, found: list[str], lexicon: Lexicon) -> tuple[str, ...]:
    if not found:
        return ()
    links = lexicon.links(found, [[concept.name, concept.label]])[:, 0].tolist()
    linked = (word for word, worth in zip(found, links, strict=True) if worth >= _KIN)
    return tuple(dict.fromkeys(linked))


def give_likely_names(concepts: Sequence[Concept], words: Words, lexicon: Lexicon) -> None:
    """Let captions say them, and keep them for the pool."""
    found = likely_names(words, concepts, lexicon)
    _FILE.parent.mkdir(parents=True, exist_ok=True)
    part = _FILE.with_suffix(".part")
    part.write_text(json.dumps({c.label: each for c, each in zip(concepts, found, strict=True)}))
    part.replace(_FILE)
    _give(concepts, found)


def load_likely_names(concepts: Sequence[Concept], tokenizer: CLIPTokenizer) -> None:
    """As above, from what the text stage kept; found now unless it kept those of exactly
    these concepts."""
    kept = json.loads(_FILE.read_text()) if _FILE.exists() else {}
    if set(kept) != {concept.label for concept in concepts}:
        lexicon = Lexicon()
        words = Words(list(concepts), tokenizer, Teacher(), lexicon)
        give_likely_names(concepts, words, lexicon)
        return
    may_say = sayable(concepts, _LEFT_OUT)  # names may have been added since
    _give(concepts, [filter(may_say, kept[concept.label]) for concept in concepts])


def _give(concepts: Sequence[Concept], found: Iterable[Iterable[str]]) -> None:
    for concept, names in zip(concepts, found, strict=True):
        concept.likely_names = tuple(names)
