"""Words that may stand for a thing although nobody calls it so: "stallion", "lumber".

The teachers say which (`nearness`). While captions held names and tags alone, the text encoder told
the right canvas of many other words, and the denoiser painted a blur: it had never seen a canvas
behind a word like those.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import torch
from transformers import CLIPTokenizer

from training.doodle import run
from training.doodle.backgrounds import BACKGROUNDS
from training.doodle.data import COLOURS, Concept, said_by
from training.doodle.lexicon import Lexicon
from training.doodle.nearness import Words
from training.doodle.vocabulary import NO_THINGS
from training.doodle.words import Teacher

_SURE = 0.5  # of a thing's share of a word
_COMMON = 0.2  # of what people write: the first 40,000 words
_STEM = 4
"""Letters: a word that begins like one kept for the evaluation, or the other way round, is left."""
_FILE = run.RUN_DIR / "likely.json"


def likely_names(words: Words, concepts: Sequence[Concept]) -> list[tuple[str, ...]]:
    """Of each concept the single words that the teachers are sure of; no word is two concepts'.

    None is a name or tag, says anything else in captions, or is akin to a word that the evaluation
    asks for.
    """
    names = [name for concept in concepts for name in (concept.name, *concept.synonyms)]
    kept = {word for concept in concepts for word in concept.held_out_synonyms}
    phrases = [phrase for background in BACKGROUNDS for phrase in background.phrases]
    said = said_by([*names, *NO_THINGS, *phrases, *COLOURS])
    found: list[list[str]] = [[] for _ in concepts]
    sure = (words.nearest.amax(-1) >= _SURE) & (words.common >= _COMMON)
    for row in torch.nonzero(sure)[:, 0].tolist():
        word = words.texts[row]
        if word.isalpha() and word not in said and not _is_akin(word, kept):
            found[int(words.nearest[row].argmax())].append(word)
    return [tuple(dict.fromkeys(each)) for each in found]


def give_likely_names(concepts: Sequence[Concept], words: Words) -> None:
    """Let captions say them, and keep them for the pool."""
    found = likely_names(words, concepts)
    _FILE.parent.mkdir(parents=True, exist_ok=True)
    part = _FILE.with_suffix(".part")
    part.write_text(json.dumps({c.label: each for c, each in zip(concepts, found, strict=True)}))
    part.replace(_FILE)
    _give(concepts, found)


def load_likely_names(concepts: Sequence[Concept], tokenizer: CLIPTokenizer) -> None:
    """As above, from what the text stage kept; found now if it has not been run here."""
    if not _FILE.exists():
        give_likely_names(concepts, Words(list(concepts), tokenizer, Teacher(), Lexicon()))
        return
    kept = json.loads(_FILE.read_text())
    _give(concepts, [kept[concept.label] for concept in concepts])


def _give(concepts: Sequence[Concept], found: Iterable[Sequence[str]]) -> None:
    for concept, names in zip(concepts, found, strict=True):
        concept.likely_names = tuple(names)


def _is_akin(word: str, kept: Iterable[str]) -> bool:
    return any(
        word == each
        or (min(len(word), len(each)) >= _STEM and (word.startswith(each) or each.startswith(word)))
        for each in kept
    )
