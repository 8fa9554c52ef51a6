"""How near each word of a large list is to each thing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from transformers import CLIPTokenizer

from training.doodle.captions import of_no_thing
from training.doodle.data import Concept, read_emojibase
from training.doodle.lexicon import Lexicon
from training.doodle.words import Teacher, word_list

_TEACHER_TEMPERATURE = 0.08  # so the right one gets what it deserves: least surprise on known tags
_VECTORS_SHARE, _LINKS_SHARE, _TOLD_SHARE = 0.5, 0.2, 0.3
"""Of word vectors, the dictionary's links and its definitions of the concepts, beside the sentence
encoder. Chosen on training tags, each found without itself: the right one of 329 is first for 60 %;
58 % without definitions, and 50 % by the sentence encoder alone."""
_WORD_TOKENS = 8  # single words and labels are short, and the encoder is causal
_TELLING_SHARE = 0.5  # of each batch of words: such as are near to some concept


class Words:
    """A large list of words, what the teacher says of each, and how often each is asked for.

    Attributes:
        texts: the words, and at the end names and labels of several words.
        meanings: unit vectors `(N, 384)`.
        nearest: how near each is to each concept, `(N, concepts)`; rows sum to 1.
        common: how common each is, 0 to 1.
        names_thing: `(N,) bool`, False of what captions say of anything else ("sunset", "cute").
        telling: indices of the fifth that is nearest to some concept.
        short_ids, long_ids: tokens `(N, 8)`, and `(N, NUM_TOKENS)` with places for canvases.
    """

    def __init__(
        self, concepts: list[Concept], tokenizer: CLIPTokenizer, teacher: Teacher, lexicon: Lexicon
    ):
        names = [[c.name, c.label, *c.synonyms] for c in concepts]
        labels = [entry["label"] for entry in read_emojibase()]
        known = dict.fromkeys([*word_list(), *lexicon.words()])
        words = [*known, *labels, *(name for group in names for name in group[:4] * 3)]
        self.texts = words
        self.meanings = teacher(words)
        likeness = likeness_to(self.meanings, [teacher(group) for group in names])
        vectors = [lexicon.vectors(group) for group in names]
        likeness += _VECTORS_SHARE * likeness_to(lexicon.vectors(words), vectors)
        likeness += _LINKS_SHARE * lexicon.links(words, names)
        told = [lexicon.definitions(c.name, c.label) for c in concepts]
        likeness += _TOLD_SHARE * self._told(teacher, told)
        self.nearest = (likeness / _TEACHER_TEMPERATURE).softmax(-1)
        self.common = lexicon.commonness(words)
        self.names_thing = name_things(words, names)
        self.telling = likeness.amax(-1).argsort(descending=True)[: len(words) // 5]
        tokens = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
        self.short_ids = tokenizer(words, max_length=_WORD_TOKENS, **tokens)["input_ids"]
        self.long_ids = tokenizer(words, **tokens)["input_ids"]

    def _told(self, teacher: Teacher, definitions: list[list[str]]) -> torch.Tensor:
        """Cosine to the nearest definition of each concept; of one without any, the others' mean:
        a name in its place would be nearer to every word than a definition is."""
        has_one = torch.tensor([bool(each) for each in definitions])
        found = closest(self.meanings, [teacher(each) for each in definitions if each])
        likeness = found.mean(dim=1, keepdim=True).repeat(1, len(definitions))
        likeness[:, has_one] = found
        return likeness

    def pick_known(self, num: int) -> torch.Tensor:
        """Indices of words with something to show: the more often the surer the teacher is, and as
        people write it. Half of the list are words that next to nobody knows.

        By the root: the nearest thing, painted clearly, is a better answer to an unsure word than
        the mean of all things.
        """
        worth = self.nearest.amax(-1).sqrt() * self.common * self.names_thing
        return torch.multinomial(worth, num)

    def pick(self, num: int) -> torch.Tensor:
        """Indices of words for a batch, in a random order."""
        num_telling = int(num * _TELLING_SHARE)
        some = self.telling[torch.randint(len(self.telling), (num_telling,))]
        any_of_all = torch.multinomial(self.common, num - num_telling)
        return torch.cat([some, any_of_all])[torch.randperm(num)]


def name_things(words: list[str], names: list[list[str]]) -> torch.Tensor:
    """`(N,) bool`: False of what captions say of anything but things, unless it is a name, too."""
    others = of_no_thing() - {name.lower() for group in names for name in group}
    return torch.tensor([word.lower() not in others for word in words])


def likeness_to(meanings: torch.Tensor, groups: list[torch.Tensor]) -> torch.Tensor:
    """Cosines `(N, concepts)`: mean of that to all names of a concept and that to the nearest one.

    A tag of its own, such as "kitty", may be near where the mean of all names is far: the teacher
    finds 52 % of the tags that are kept out by this, 42 % by the first three names' mean.

    Args:
        meanings: unit vectors `(N, D)`.
        groups: for each concept its names' unit vectors `(names, D)`.
    """
    middle = F.normalize(torch.stack([group.mean(0) for group in groups]), dim=-1)
    return (meanings @ middle.T + closest(meanings, groups)) / 2


def closest(meanings: torch.Tensor, groups: list[torch.Tensor]) -> torch.Tensor:
    """Cosine of each to the nearest of a concept's texts, `(N, concepts)`; arguments as above."""
    return torch.stack([(meanings @ group.T).amax(-1) for group in groups], dim=1)
