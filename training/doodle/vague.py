"""Words that do not tell which thing is meant: "animal", "bison", "hope". The drawing does.

Captions named what they meant, or nothing at all. So beside a cat "animal" was some other animal, a
word of no thing at all was a smear, and what was drawn did not count.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from transformers import CLIPTokenizer

from training.doodle import run
from training.doodle.captions import praised, style
from training.doodle.data import Concept, is_held_out
from training.doodle.kept import sayable, wider_words
from training.doodle.lexicon import Lexicon
from training.doodle.nearness import Words
from training.doodle.nouns import article
from training.doodle.words import Teacher

_UNSURE = 0.5  # of a thing's share of a word: less does not tell which is meant
_MAY_MEAN, _NUM_MEANT = 0.5, 5  # a thing's share beside the first one's, and of how many things
_IDLE = 0.1  # a word of which no thing has more than that means none
_COMMON = 0.2  # the first 40,000 words, and what the vectors do not know
_WIDER_SHARE, _UNSURE_SHARE = 0.4, 0.3  # of captions; the rest means nothing
_FILE = run.RUN_DIR / "vague.json"


class Vague:
    """Captions that leave to the sketch what is meant.

    Args:
        concepts: with the tags that they share.
        unsure: of a concept's label the words that may mean it, among others, by the teachers.
        idle: words that mean none.
    """

    def __init__(
        self, concepts: Sequence[Concept], unsure: Mapping[str, Iterable[str]], idle: Iterable[str]
    ) -> None:
        may_say = _sayable(concepts)
        wider = wider_words(concepts)
        self.wider = {label: [*filter(may_say, each)] for label, each in wider.items()}
        self.unsure = {label: [*filter(may_say, each)] for label, each in unsure.items()}
        self.idle = [*filter(may_say, idle)]

    def caption(self, rng: np.random.Generator, drawn: Sequence[Concept]) -> str:
        """For a sketch of these; of several kinds no word may mean one of them."""
        labels = {concept.label for concept in drawn}
        label = labels.pop() if len(labels) == 1 else ""
        draw = rng.random()
        if draw < _WIDER_SHARE and self.wider.get(label):
            words = [_pick(rng, self.wider[label])]
        elif _WIDER_SHARE <= draw < _WIDER_SHARE + _UNSURE_SHARE and self.unsure.get(label):
            words = [_pick(rng, self.unsure[label])]
        else:
            words = [_pick(rng, self.idle) for _ in range(rng.integers(1, 4)) if self.idle]
        if not words:
            return ""
        text = praised(rng, " ".join(words))
        before = ("", "", f"{article(text)} ", "the ", "this ", "some ")[rng.integers(6)]
        return before + text + style(rng)


def _pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _sayable(concepts: Sequence[Concept]) -> Callable[[str], bool]:
    may_say = sayable(concepts)
    return lambda word: word.islower() and len(word) > 2 and not is_held_out(word) and may_say(word)


def vague_words(words: Words, concepts: Sequence[Concept]) -> Vague:
    """What the teachers are not sure of, or think to be nothing."""
    unsure: dict[str, dict[str, None]] = defaultdict(dict)
    idle: dict[str, None] = {}
    surest = words.nearest.amax(-1)
    for row in torch.nonzero((surest < _UNSURE) & (words.common >= _COMMON))[:, 0].tolist():
        word = words.texts[row]
        if surest[row] < _IDLE:
            idle[word] = None
            continue
        shares, indices = words.nearest[row].topk(min(_NUM_MEANT, len(concepts)))
        for index in indices[shares >= _MAY_MEAN * surest[row]].tolist():
            unsure[concepts[index].label][word] = None
    return Vague(concepts, unsure, idle)


def give_vague_words(concepts: Sequence[Concept], words: Words) -> Vague:
    """Find them, and keep them for the pool."""
    found = vague_words(words, concepts)
    _FILE.parent.mkdir(parents=True, exist_ok=True)
    part = _FILE.with_suffix(".part")
    labels = [concept.label for concept in concepts]
    part.write_text(json.dumps({"of": labels, "unsure": found.unsure, "idle": found.idle}))
    part.replace(_FILE)
    return found


def load_vague_words(concepts: Sequence[Concept], tokenizer: CLIPTokenizer) -> Vague:
    """As the text stage kept them; found now unless it kept those of exactly these concepts."""
    kept = json.loads(_FILE.read_text()) if _FILE.exists() else {}
    if kept.get("of") != [concept.label for concept in concepts] or "unsure" not in kept:
        words = Words(list(concepts), tokenizer, Teacher(), Lexicon())
        return give_vague_words(concepts, words)
    return Vague(concepts, kept["unsure"], kept["idle"])
